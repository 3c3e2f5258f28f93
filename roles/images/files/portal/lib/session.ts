// Sessions without a store: a cookie that says who and until when, signed with AUTH_SECRET.

import { createHmac, timingSafeEqual } from "node:crypto";

export const COOKIE = "optiinfra_session";
export const LIFETIME = 8 * 3600;

function signature(secret: string, text: string): string {
  return createHmac("sha256", secret).update(text).digest("base64url");
}

export function same(one: string, other: string): boolean {
  // Of equal length, so that neither length nor content is told by the time it takes.
  const [a, b] = [one, other].map((text) => createHmac("sha256", "compare").update(text).digest());
  return timingSafeEqual(a, b);
}

export function issue(secret: string, user: string, now = Date.now() / 1000): string {
  const text = `${Buffer.from(user).toString("base64url")}.${Math.floor(now) + LIFETIME}`;
  return `${text}.${signature(secret, text)}`;
}

/** Return who a cookie is of; undefined when it is forged, too old or none. */
export function read(secret: string, cookie: string | undefined, now = Date.now() / 1000): string | undefined {
  const [name, until, given, ...more] = (cookie ?? "").split(".");
  if (!name || !until || !given || more.length || !/^\d+$/.test(until)) return undefined;
  if (!same(given, signature(secret, `${name}.${until}`)) || Number(until) < now) return undefined;
  return Buffer.from(name, "base64url").toString();
}
