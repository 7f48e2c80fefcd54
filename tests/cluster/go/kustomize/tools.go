//go:build tools

package kustomize

import _ "sigs.k8s.io/kustomize/kustomize/v5"
