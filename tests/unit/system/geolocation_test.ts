import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import fc from "fast-check";
import {
  GEOLOCATION_ANSWER_BYTES,
  GEOLOCATION_CACHE_MS,
  GEOLOCATION_FAILURE_CACHE_MS,
  GeolocationJson,
  OnlineGeolocation,
} from "../../../src/system/geolocation.ts";
import { FakeClock } from "../../support/fake_clock.ts";

const BERLIN = {
  ip: "203.0.113.7",
  city: "Berlin",
  region: "Land Berlin",
  country_code: "DE",
  country_name: "Germany",
  timezone: "Europe/Berlin",
  latitude: 52.52,
  longitude: 13.41,
  org: "not among the eight",
};

/** A geolocation service on loopback, and the client under test. */
async function withService(
  listener: RequestListener,
  run: (parts: {
    geolocation: OnlineGeolocation;
    clock: FakeClock;
    requests: () => number;
    url: string;
  }) => Promise<void>,
): Promise<void> {
  let requests = 0;
  const server = createServer((request, response) => {
    requests++;
    return listener(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/json/`;
  const clock = new FakeClock();
  const geolocation = new OnlineGeolocation({ clock, fetch }, { url });
  try {
    await run({ geolocation, clock, requests: () => requests, url });
  } finally {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  }
}

function answering(json: unknown, status = 200): RequestListener {
  return (_request, response) => {
    response.writeHead(status, { "content-type": "application/json", connection: "close" });
    response.end(typeof json === "string" ? json : JSON.stringify(json));
  };
}

Deno.test("OnlineGeolocation.get() gives the eight fields", () =>
  withService(answering(BERLIN), async ({ geolocation }) => {
    assert.deepEqual(await geolocation.get(), {
      ip: "203.0.113.7",
      city: "Berlin",
      region: "Land Berlin",
      countryCode: "DE",
      countryName: "Germany",
      timezone: "Europe/Berlin",
      latitude: 52.52,
      longitude: 13.41,
    });
  }));

Deno.test("OnlineGeolocation.get() asks once an hour, and once for many callers", () =>
  withService(answering(BERLIN), async ({ geolocation, clock, requests }) => {
    await Promise.all(Array.from({ length: 10 }, () => geolocation.get()));
    assert.equal(requests(), 1);
    await clock.advance(GEOLOCATION_CACHE_MS - 1);
    await geolocation.get();
    assert.equal(requests(), 1);
    await clock.advance(1);
    await geolocation.get();
    assert.equal(requests(), 2);
    assert.equal(GEOLOCATION_CACHE_MS, 60 * 60 * 1_000);
  }));

Deno.test("OnlineGeolocation.get() remembers a failure for a minute", () =>
  withService(answering("busy", 503), async ({ geolocation, clock, requests, url }) => {
    const refused = {
      code: "unavailable",
      message: `Cannot get the geolocation from ${url}: the service answered 503`,
    };
    await assert.rejects(geolocation.get(), refused);
    await assert.rejects(geolocation.get(), refused);
    assert.equal(requests(), 1);
    await clock.advance(GEOLOCATION_FAILURE_CACHE_MS);
    await assert.rejects(geolocation.get(), refused);
    assert.equal(requests(), 2);
    assert.equal(GEOLOCATION_FAILURE_CACHE_MS, 60_000);
  }));

Deno.test("OnlineGeolocation.get() is unavailable for every answer that is no location", async () => {
  const bad: unknown[] = [
    "not json",
    "",
    "[]",
    "null",
    '"text"',
    { ...BERLIN, ip: "" },
    { error: true, reason: "RateLimited" },
    { ...BERLIN, latitude: 91 },
    { ...BERLIN, longitude: "13.41" },
    { ...BERLIN, city: "x".repeat(257) },
    `{"pad": "${"x".repeat(GEOLOCATION_ANSWER_BYTES)}"}`,
  ];
  for (const json of bad) {
    await withService(answering(json), async ({ geolocation }) => {
      await assert.rejects(geolocation.get(), { code: "unavailable" }, String(json).slice(0, 60));
    });
  }
});

Deno.test("OnlineGeolocation.get() stops reading an endless answer", () =>
  withService((_request, response) => {
    response.writeHead(200, { connection: "close" });
    const chunk = "x".repeat(16_384);
    const more = () => {
      while (!response.destroyed && response.write(chunk));
    };
    response.on("drain", more);
    more();
  }, async ({ geolocation }) => {
    await assert.rejects(geolocation.get(), { code: "unavailable", message: /larger than 65536/ });
  }));

Deno.test("OnlineGeolocation.get() is unavailable within 6 s when the service never answers", () =>
  withService(() => undefined, async ({ geolocation }) => {
    const begun = performance.now();
    await assert.rejects(geolocation.get(), { code: "unavailable" });
    assert.ok(performance.now() - begun < 6_000);
  }));

Deno.test("OnlineGeolocation.get() is unavailable at once when nobody listens", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  const url = `http://127.0.0.1:${port}/`;
  const geolocation = new OnlineGeolocation({ clock: new FakeClock(), fetch }, { url });
  await assert.rejects(geolocation.get(), { code: "unavailable" });
});

Deno.test("OnlineGeolocation.setUrl() forgets what the old service said", () =>
  withService(answering(BERLIN), async ({ geolocation, url }) => {
    await geolocation.get();
    await withService(answering({ ...BERLIN, city: "Bonn" }), async (other) => {
      geolocation.setUrl(other.url);
      assert.equal((await geolocation.get()).city, "Bonn");
      geolocation.setUrl(other.url);
      assert.equal((await geolocation.get()).city, "Bonn");
      assert.equal(other.requests(), 1);
    });
    geolocation.setUrl(url);
    assert.equal((await geolocation.get()).city, "Berlin");
  }));

Deno.test("GeolocationJson takes missing fields, and strips control characters", () => {
  const parsed = GeolocationJson().parse({
    ip: "192.0.2.1",
    city: "B\u0000er\u001b[31mlin\u202e",
    region: null,
  });
  assert.equal(parsed.city, "Ber[31mlin");
  assert.deepEqual([parsed.region, parsed.countryCode, parsed.latitude], ["", "", 0]);
});

Deno.test("GeolocationJson never throws anything but its own refusal", () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    const parsed = GeolocationJson().safeParse(value);
    if (parsed.success) assert.equal(typeof parsed.data.ip, "string");
  }));
});
