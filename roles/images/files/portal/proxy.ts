// Before every page: an id for the request (or the caller's), and a policy that lets only our own scripts run.

import { randomBytes, randomUUID } from "node:crypto";
import { type NextRequest, NextResponse } from "next/server";
import { log } from "./lib/log";

const QUIET = new Set(["/api/health", "/metrics"]);

export function proxy(request: NextRequest): NextResponse {
  const given = request.headers.get("x-request-id") ?? "";
  const id = /^[A-Za-z0-9._-]{1,64}$/.test(given) ? given : randomUUID().replaceAll("-", "").slice(0, 16);
  const nonce = randomBytes(16).toString("base64");
  const policy = [
    "default-src 'self'",
    `script-src 'self' 'nonce-${nonce}' 'strict-dynamic'`,
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join("; ");
  const headers = new Headers(request.headers);
  headers.set("x-request-id", id);
  headers.set("x-nonce", nonce);
  headers.set("content-security-policy", policy);
  const answer = NextResponse.next({ request: { headers } });
  answer.headers.set("content-security-policy", policy);
  answer.headers.set("x-request-id", id);
  answer.headers.set("x-content-type-options", "nosniff");
  answer.headers.set("referrer-policy", "same-origin");
  const path = request.nextUrl.pathname;
  if (!QUIET.has(path)) log("info", `${request.method} ${path}`, { request_id: id });
  return answer;
}

export const config = { matcher: ["/((?!_next/static|icon.svg).*)"] };
