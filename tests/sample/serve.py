"""Serve the sample's application by the standard library; prints the port as soon as it listens."""

from __future__ import annotations

import sys
from wsgiref.simple_server import make_server

# The code lies where the first argument says.
sys.path.insert(0, sys.argv[1])

from predict_wsgi import predict_wsgi

with make_server("127.0.0.1", 0, predict_wsgi) as server:
    print(server.server_port, flush=True)
    server.serve_forever()
