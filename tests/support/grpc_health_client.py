"""Asks a daemon for its health and its services by grpcio's own health and reflection clients."""
import json
import sys

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

SERVICE = "almena.daemon.v1.DaemonService"

with grpc.insecure_channel(sys.argv[1]) as channel:
    health = health_pb2_grpc.HealthStub(channel)
    check = health.Check(health_pb2.HealthCheckRequest(service=SERVICE), timeout=5)
    watch = health.Watch(health_pb2.HealthCheckRequest(service=""), timeout=5)
    first = next(watch)
    watch.cancel()
    unknown = next(health.Watch(health_pb2.HealthCheckRequest(service="no.such"), timeout=5))
    try:
        health.Check(health_pb2.HealthCheckRequest(service="no.such"), timeout=5)
        missing = "OK"
    except grpc.RpcError as error:
        missing = error.code().name
    database = ProtoReflectionDescriptorDatabase(channel)
    methods = DescriptorPool(database).FindServiceByName(SERVICE).methods
    print(json.dumps({
        "check": check.status,
        "watch": first.status,
        "watch_unknown": unknown.status,
        "check_unknown": missing,
        "services": sorted(database.get_services()),
        "methods": [method.name for method in methods],
    }))
