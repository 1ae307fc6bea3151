/** The way into the page, as a browser goes it. */
import assert from "node:assert/strict";
import { request } from "node:http";
import { ControlClient } from "./control_client.ts";

/** An HTTP answer with its body read. */
export interface PageAnswer {
  readonly status: number;
  readonly json: Record<string, unknown>;
  /** The first cookie it sets, with its attributes. */
  readonly setCookie: string;
}

/** Asks a daemon for a code, at its control socket. */
export async function pageCode(dataDir: string): Promise<{ code: string; url: string }> {
  using client = await ControlClient.connect(`${dataDir}/daemon/daemon.sock`);
  const answer = await client.ask({
    Action: { method: "action:page.code.input.v1", payload: {} },
  });
  assert.ok("JsonOk" in answer, JSON.stringify(answer));
  return answer["JsonOk"] as { code: string; url: string };
}

/**
 * One request with exactly these headers, which `fetch` would not send.
 *
 * @param address `host:port` that is connected to.
 */
export function ask(
  address: string,
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body: string | undefined = undefined,
): Promise<PageAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<PageAnswer>();
  const url = `http://${address}${path}`;
  const options = { method, agent: false, timeout: 10_000 };
  request(url, { ...options, headers: { connection: "close", ...headers } }, (response) => {
    let text = "";
    response.setEncoding("utf8").on("data", (part: string) => text += part);
    response.on("end", () => {
      const isJson = /json/.test(response.headers["content-type"] ?? "");
      const setCookie = response.headers["set-cookie"]?.[0] ?? "";
      resolve({
        status: response.statusCode ?? 0,
        json: isJson ? JSON.parse(text) : {},
        setCookie,
      });
    });
  }).on("error", reject).end(body);
  return promise;
}

/** Uses a code; gives the headers that the page sends from then on. */
export async function signIn(address: string, code: string): Promise<Record<string, string>> {
  const answer = await ask(
    address,
    "POST",
    "/api/v1/session",
    { "content-type": "application/json" },
    JSON.stringify({ code }),
  );
  assert.equal(answer.status, 200, JSON.stringify(answer.json));
  return {
    cookie: answer.setCookie.split(";")[0] ?? "",
    "x-almenad-csrf": String(answer.json["csrf"]),
  };
}
