"""PyPI p2pclient against a p2pd: one line of JSON, verb to "ok" or what went wrong.

    python p2pclient_verbs.py CONTROL_MULTIADDR LISTEN_MULTIADDR PEER_ID PEER_MULTIADDR
"""
import hashlib
import json
import sys

import anyio
from multiaddr import Multiaddr
from p2pclient import Client
from p2pclient.libp2p_stubs.peer.id import ID

control, listen, peer_id, peer_addr = sys.argv[1:5]
PEER = ID.from_base58(peer_id)
CID = b"\x01\x55\x12\x20" + hashlib.sha256(b"python").digest()
PING = "/ipfs/ping/1.0.0"  # answers with what it was sent
results = {}


async def attempt(verb, work):
    try:
        with anyio.fail_after(20):
            value = await work()
        results[verb] = "ok"
        return value
    except BaseException as failure:  # what a client raises is what the matrix shows
        results[verb] = f"{type(failure).__name__}: {failure}"[:200]
        return None


async def main():
    client = Client(control_maddr=Multiaddr(control), listen_maddr=Multiaddr(listen))
    async with client.listen():
        identity = await attempt("IDENTIFY", client.identify)
        assert identity is not None
        await attempt("CONNECT", lambda: client.connect(PEER, [Multiaddr(peer_addr)]))

        async def listed():
            assert PEER in [info.peer_id for info in await client.list_peers()]

        await attempt("LIST_PEERS", listed)

        async def echo():
            info, stream = await client.stream_open(PEER, (PING,))
            await stream.send(b"p" * 32)
            assert await stream.receive(32) == b"p" * 32 and info.proto == PING
            await stream.aclose()

        await attempt("STREAM_OPEN", echo)

        async def handle(info, stream):
            await stream.aclose()

        await attempt("STREAM_HANDLER", lambda: client.stream_handler("/python/1", handle))
        await attempt("CONNMANAGER tag", lambda: client.connmgr_tag_peer(PEER, "t", 5))
        await attempt("CONNMANAGER untag", lambda: client.connmgr_untag_peer(PEER, "t"))
        await attempt("CONNMANAGER trim", client.connmgr_trim)
        await attempt("DHT FIND_PEER", lambda: client.dht_find_peer(PEER))
        await attempt("DHT PUT_VALUE", lambda: client.dht_put_value(b"/python/key", b"value"))

        async def get():
            assert await client.dht_get_value(b"/python/key") == b"value"

        await attempt("DHT GET_VALUE", get)

        async def search():
            assert b"value" in await client.dht_search_value(b"/python/key")

        await attempt("DHT SEARCH_VALUE", search)
        await attempt("DHT PROVIDE", lambda: client.dht_provide(CID))

        async def providers():
            found = await client.dht_find_providers(CID, 1)
            assert identity[0] in [info.peer_id for info in found]

        await attempt("DHT FIND_PROVIDERS", providers)

        async def closest():
            assert PEER in await client.dht_get_closest_peers(b"key")

        await attempt("DHT GET_CLOSEST_PEERS", closest)
        await attempt("DHT GET_PUBLIC_KEY", lambda: client.dht_get_public_key(PEER))

        async def pubsub():
            stream = await client.pubsub_subscribe("python")
            assert "python" in await client.pubsub_get_topics()
            await client.pubsub_list_peers("python")
            await client.pubsub_publish("python", b"data")
            assert b"data" in await stream.receive(4096)
            await stream.aclose()

        await attempt("PUBSUB", pubsub)
        await attempt("DISCONNECT", lambda: client.disconnect(PEER))
        await client.close()


try:
    anyio.run(main)
except BaseException as failure:
    results.setdefault("IDENTIFY", f"{type(failure).__name__}: {failure}"[:200])
print(json.dumps(results), flush=True)
