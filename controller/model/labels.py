"""Every label, annotation and header that Pointsman writes, once. They are API: documented in docs/reference/labels.md.

Label values are hashes or object names (63 characters are the limit there); readable names are annotations.
"""

PREFIX = "pointsman.dev/"
FIELD_MANAGER = "pointsman"
RESTART_MANAGER = "pointsman-restart"
RECONCILE_MANAGER = "pointsman-reconcile"

# labels
MANAGED_BY = "app.kubernetes.io/managed-by"
UNIT = PREFIX + "unit-hash"
WORKLOAD = PREFIX + "workload"
RECORD = PREFIX + "record"
SERVICE_NAME = "kubernetes.io/service-name"

# labels of containers
STATE = PREFIX + "state"
STATE_DIRECTORY = PREFIX + "state-directory"
REPLICA = PREFIX + "replica"
REPLICA_NAMESPACE = PREFIX + "namespace"
REPLICA_INDEX = PREFIX + "index"
REPLICA_TEMPLATE = PREFIX + "template"
REPLICA_CREATED = PREFIX + "created"
REPLICA_RESTARTS = PREFIX + "restarts"

# annotations
UNIT_NAME = PREFIX + "unit"
VERSION = PREFIX + "version"
ENDPOINT = PREFIX + "endpoint"
ALIAS = PREFIX + "alias"
PATH = PREFIX + "path"
REVISION = PREFIX + "revision"
APPLIED = PREFIX + "applied"
INSTALLATION = PREFIX + "installation"
SOURCE = PREFIX + "source"
SCALE = PREFIX + "scale"
METADATA = PREFIX + "valohai-metadata"
PRUNE = PREFIX + "prune"
RECONCILE = PREFIX + "reconcile"
RESTARTED = PREFIX + "restarted-at"
REQUESTED = PREFIX + "reconcile-requested-at"
DISABLED = "disabled"

# request headers
VH_PREFIX = "X-VH-Prefix"
FORWARDED_PREFIX = "X-Forwarded-Prefix"

# response headers
HEADER_VERSION = "X-Pointsman-Version"
HEADER_WORKLOAD = "X-Pointsman-Workload"
HEADER_REVISION = "X-Pointsman-Revision"
HEADER_PINNED = "X-Pointsman-Pinned"
