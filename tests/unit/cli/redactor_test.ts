import assert from "node:assert/strict";
import { Redactor } from "../../../src/cli/bugreport/redactor.ts";

const SELF = "12D3KooWGRYZDHBembyGJQqMbYDbLAEbkSBFGkLkZpJxSfE5oyjL";
const OTHER = "12D3KooWBhSnQmSJxzvFXoQa1wKJk8JpVtNvCvRJ9bKBBfmCkq8x";
const TOKEN = "c2VjcmV0LXRva2VuLW9mLXRoZS1vd25lcg";

function redactor() {
  return new Redactor({
    ...{ secrets: [TOKEN, "/hooks/T0/B1", "abc"], home: "/home/ada", host: "analytical" },
    selfId: SELF,
  });
}

Deno.test("Redactor.text() takes out secrets, peers, addresses, machine and user", () => {
  const table: [text: string, clean: string][] = [
    [`token ${TOKEN} is used`, "token [secret] is used"],
    ["http://127.0.0.1:8080/#code=AbC-_123", "http://127.0.0.1:8080/#code=[secret]"],
    ["authorization: Bearer abc.def-ghi", "authorization: Bearer [secret]"],
    ["https://hooks.example/hooks/T0/B1?x=1", "https://hooks.example[secret]/…"],
    ["https://other.example/a/word?q=1 failed", "https://other.example/… failed"],
    ["ftp://ada:pass@files.example", "ftp://[secret]@files.example"],
    ["ALMENA:AEBAGBAFAYDQQCIKBMGA2DQPCAIREEYU more", "[ticket] more"],
    [`dial ${OTHER} from ${SELF}`, "dial [peer 1] from [this peer]"],
    ["/ip4/192.168.1.7/tcp/4001", "/ip4/[local address 1]/tcp/4001"],
    ["/ip4/127.0.0.1/tcp/4001", "/ip4/127.0.0.1/tcp/4001"],
    ["/ip4/0.0.0.0/tcp/0,/ip6/::/tcp/0", "/ip4/0.0.0.0/tcp/0,/ip6/::/tcp/0"],
    ["listens at [::1]:50051", "listens at [::1]:50051"],
    ["from 93.184.216.34:443", "from [public address 1]:443"],
    ["/ip6/2001:db8::7/tcp/1", "/ip6/[public address 1]/tcp/1"],
    ["/ip6/fe80::1%eth0/tcp/1", "/ip6/[local address 1]%[zone]/tcp/1"],
    ["at 2026-11-21T18:15:05.123Z", "at 2026-11-21T18:15:05.123Z"],
    ["version 2026.1.1-develop on Deno 2.9.3", "version 2026.1.1-develop on Deno 2.9.3"],
    ["en0 aa:bb:cc:dd:ee:ff", "en0 [mac]"],
    ["/home/ada/Music of /home/bob/Music", "~/Music of /home/[user]/Music"],
    ["C:\\Users\\ada\\AppData", "C:\\Users\\[user]\\AppData"],
    ["analytical is up", "[host] is up"],
    ["src::network::dialer", "src::network::dialer"],
  ];
  for (const [text, clean] of table) assert.equal(redactor().text(text), clean);
});

Deno.test("Redactor gives one thing one number throughout", () => {
  const clean = redactor();
  assert.equal(
    clean.text("192.168.1.7 and 192.168.1.8"),
    "[local address 1] and [local address 2]",
  );
  assert.equal(clean.text("192.168.1.8 again"), "[local address 2] again");
  assert.equal(clean.text(`${OTHER} ${OTHER}`), "[peer 1] [peer 1]");
});

Deno.test("Redactor.json() hides fields by name, in values and in names", () => {
  const clean = redactor().json({
    webhook: { url: "https://a.example", secret: "xy", password: "p", nested: [{ token: "1234" }] },
    [OTHER]: { authorization: "Basic x", csrf: "y", count: 3, tokens: 5, admin_token_file: "" },
    code: "invalid_argument",
    admin_token_file: "/home/ada/token",
    nothing: null,
  });
  assert.deepEqual(clean, {
    webhook: {
      ...{ url: "https://a.example", secret: "[secret]", password: "[secret]" },
      nested: [{ token: "[secret]" }],
    },
    "[peer 1]": {
      ...{ authorization: "[secret]", csrf: "[secret]", count: 3, tokens: 5 },
      admin_token_file: "",
    },
    code: "invalid_argument",
    admin_token_file: "~/token",
    nothing: null,
  });
});

Deno.test("Redactor.text() ends soon on texts made to keep it busy", () => {
  const texts = [
    ":".repeat(100_000),
    "1.".repeat(50_000),
    "a:".repeat(50_000),
    "ALMENA:".repeat(20_000),
  ];
  for (const text of [...texts, "x://".repeat(30_000), "/home/".repeat(20_000)]) {
    const begun = performance.now();
    redactor().text(text);
    assert.ok(performance.now() - begun < 5_000, text.slice(0, 10));
  }
});
