import assert from "node:assert/strict";
import { CountryTable } from "../../../src/system/country.ts";

Deno.test("CountryTable.lookup() knows public IPv4 addresses once it is loaded", async () => {
  const countries = new CountryTable();
  assert.equal(countries.lookup("8.8.8.8"), undefined);
  await countries.load();
  await countries.load();
  assert.deepEqual(countries.lookup("8.8.8.8"), { code: "US", name: "United States" });
});

Deno.test("CountryTable.lookup() is undefined for anything else", async () => {
  const countries = new CountryTable();
  await countries.load();
  for (
    const ip of ["10.0.0.1", "127.0.0.1", "2001:4860:4860::8888", "", "8.8.8", "x", "8.8.8.8.8"]
  ) {
    assert.equal(countries.lookup(ip), undefined, ip);
  }
});
