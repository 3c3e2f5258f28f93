import assert from "node:assert/strict";
import test from "node:test";
import { LIFETIME, issue, read, same } from "../lib/session.ts";

const SECRET = "secret-of-the-tests";

test("a session is of who it was issued to, until it ends", () => {
  const cookie = issue(SECRET, "ädmin", 1000);
  assert.equal(read(SECRET, cookie, 1000), "ädmin");
  assert.equal(read(SECRET, cookie, 1000 + LIFETIME), "ädmin");
  assert.equal(read(SECRET, cookie, 1001 + LIFETIME), undefined);
});

test("what is forged is nobody's", () => {
  const cookie = issue(SECRET, "admin", 1000);
  const [name, until, sign] = cookie.split(".");
  for (const bad of ["", "a.b", `${name}.${Number(until) + 1}.${sign}`, `${name}.${until}.${sign}x`, `${cookie}.`, undefined])
    assert.equal(read(SECRET, bad, 1000), undefined);
  assert.equal(read("another-secret-here", cookie, 1000), undefined);
});

test("only the same is the same", () => {
  assert.ok(same("word", "word"));
  assert.ok(!same("word", "word "));
  assert.ok(!same("", "word"));
});
