"""hivemind's own P2P and DHTNode classes on two p2pds: one line of JSON, verb to "ok" or what went wrong.

    python hivemind_verbs.py PROGRAM OTHER_PROGRAM

The first program is under test; both take p2pd's flags. Only hivemind's parts for the network are loaded: its package
imports torch, which they do not need, so the packages around them are stood in for.
"""
import asyncio
import contextlib
import importlib
import importlib.util
import json
import os
import pathlib
import sys
import tempfile
import types

for name in ("hivemind", "hivemind.utils", "hivemind.dht", "hivemind.hivemind_cli"):
    module = types.ModuleType(name)
    base = importlib.util.find_spec("hivemind").submodule_search_locations[0]
    module.__path__ = [os.path.join(base, *name.split(".")[1:])]
    sys.modules[name] = module
    if name == "hivemind":
        module.__spec__ = importlib.util.spec_from_loader(name, None, is_package=True)
        module.__spec__.submodule_search_locations = module.__path__

utils = sys.modules["hivemind.utils"]
for part in ("asyncio", "logging", "serializer", "timed_storage"):
    for name, value in vars(importlib.import_module(f"hivemind.utils.{part}")).items():
        if not name.startswith("_"):
            setattr(utils, name, value)

import hivemind.p2p.p2p_daemon as p2p_daemon  # noqa: E402
from hivemind.p2p import P2P  # noqa: E402
from hivemind.proto import test_pb2  # noqa: E402
from hivemind.dht.node import DHTNode  # noqa: E402
from hivemind.utils.multiaddr import Multiaddr  # noqa: E402
from hivemind.utils.timed_storage import get_dht_time  # noqa: E402

PROGRAM, OTHER = sys.argv[1:3]
results = {}


async def attempt(verb, work):
    try:
        return_value = await asyncio.wait_for(work(), 30)
        results[verb] = "ok"
        return return_value
    except BaseException as failure:  # what a client raises is what the matrix shows
        results[verb] = f"{type(failure).__name__}: {failure}"[:200]
        return None


async def start(program, **arguments):
    p2p_daemon.path = lambda *_: contextlib.nullcontext(pathlib.Path(program))
    return await P2P.create(nat_port_map=False, startup_timeout=30, **arguments)


async def square(request, _context):
    return test_pb2.TestResponse(number=request.number**2)


async def fail(_request, _context):
    raise ValueError("not today")


async def count(requests, _context):
    async for request in requests:
        for number in range(request.number):
            yield test_pb2.TestResponse(number=number)


async def call_both_ways(caller, callee, suffix):
    """Everything that one peer asks of another."""
    name = f"square-{suffix}"

    async def unary():
        await callee.add_protobuf_handler(name, square, test_pb2.TestRequest)
        await callee.add_protobuf_handler(f"fail-{suffix}", fail, test_pb2.TestRequest)
        answers = await asyncio.gather(
            *(
                caller.call_protobuf_handler(
                    callee.peer_id, name, test_pb2.TestRequest(number=number), test_pb2.TestResponse
                )
                for number in range(50)
            )
        )
        assert [answer.number for answer in answers] == [number**2 for number in range(50)]

    await attempt(f"PERSISTENT unary calls {suffix}", unary)

    async def failing():
        request = test_pb2.TestRequest(number=1)
        try:
            await caller.call_protobuf_handler(callee.peer_id, f"fail-{suffix}", request, test_pb2.TestResponse)
        except Exception as failure:
            assert "not today" in str(failure), failure
            return
        raise AssertionError("the failure was lost")

    await attempt(f"PERSISTENT failing call {suffix}", failing)

    async def cancelled():
        begun, ended = asyncio.Event(), asyncio.Event()

        async def slow(_request, _context):
            begun.set()
            try:
                await asyncio.sleep(60)
            finally:
                ended.set()

        await callee.add_protobuf_handler(f"slow-{suffix}", slow, test_pb2.TestRequest)
        call = asyncio.create_task(
            caller.call_protobuf_handler(
                callee.peer_id, f"slow-{suffix}", test_pb2.TestRequest(number=1), test_pb2.TestResponse
            )
        )
        await begun.wait()
        call.cancel()
        await ended.wait()

    await attempt(f"PERSISTENT cancel {suffix}", cancelled)

    async def removed():
        await callee.remove_protobuf_handler(name)
        await callee.add_protobuf_handler(name, square, test_pb2.TestRequest)

    await attempt(f"PERSISTENT remove handler {suffix}", removed)

    async def streamed():
        stream = f"count-{suffix}"
        await callee.add_protobuf_handler(
            stream, count, test_pb2.TestRequest, stream_input=True, stream_output=True
        )
        request = test_pb2.TestRequest(number=100)
        answers = await caller.iterate_protobuf_handler(callee.peer_id, stream, request, test_pb2.TestResponse)
        assert [answer.number async for answer in answers] == list(range(100))
        await callee.remove_binary_stream_handler(stream)

    await attempt(f"STREAM_OPEN, STREAM_HANDLER, removed, {suffix}", streamed)

    async def balanced():
        other = await P2P.replicate(callee.daemon_listen_maddr)
        seen = []

        def taking(who):
            async def handler(info, reader, writer):
                seen.append(who)
                writer.close()

            return handler

        stream = f"shared-{suffix}"
        await callee.add_binary_stream_handler(stream, taking("one"), balanced=True)
        await other.add_binary_stream_handler(stream, taking("two"), balanced=True)
        for _ in range(4):
            _, reader, writer = await caller.call_binary_stream_handler(callee.peer_id, stream)
            await reader.read()
            writer.close()
        assert sorted(seen) == ["one", "one", "two", "two"], seen
        await other.shutdown()

    await attempt(f"STREAM_HANDLER balanced {suffix}", balanced)


async def store_and_get(ours, theirs):
    ours_at = await ours.get_visible_maddrs(latest=True)
    one = await DHTNode.create(p2p=ours)
    two = await DHTNode.create(p2p=theirs, initial_peers=ours_at)
    expires = get_dht_time() + 60
    assert await one.store("from ours", [1, "two"], expires)
    assert await two.store("from theirs", {"three": 4}, expires)
    assert (await two.get("from ours", latest=True)).value == [1, "two"]
    assert (await one.get("from theirs", latest=True)).value == {"three": 4}
    await one.shutdown()
    await two.shutdown()


async def main():
    ours = await attempt("IDENTIFY", lambda: start(PROGRAM))
    assert ours is not None
    addresses = await ours.get_visible_maddrs()
    theirs = await start(OTHER, initial_peers=addresses)

    async def connected():
        await theirs._client.connect(ours.peer_id, [Multiaddr(str(addresses[0]).split("/p2p/")[0])])
        await ours._client.connect(theirs.peer_id, [])

    await attempt("CONNECT", connected)
    await attempt("LIST_PEERS", lambda: ours.wait_for_at_least_n_peers(1, attempts=20))
    await call_both_ways(ours, theirs, "out")
    await call_both_ways(theirs, ours, "in")
    await attempt("DHTNode store and get", lambda: store_and_get(ours, theirs))

    async def kept_identity():
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "identity")
            ids = []
            for _ in range(2):
                again = await start(PROGRAM, identity_path=path)
                ids.append(again.peer_id)
                await again.shutdown()
            assert ids[0] == ids[1]

    await attempt("identity of hivemind's (RSA)", kept_identity)
    await ours.shutdown()
    await theirs.shutdown()


try:
    asyncio.run(main())
except BaseException as failure:
    results.setdefault("IDENTIFY", f"{type(failure).__name__}: {failure}"[:200])
print(json.dumps(results), flush=True)
