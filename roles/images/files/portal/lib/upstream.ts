// The only way out: orchestrator and collector by their in-network URLs, with the request's id.

import { headers } from "next/headers";
import { config } from "./config";
import { log } from "./log";

export type Said<T> = { value: T; problem?: undefined } | { value?: undefined; problem: string };

async function call<T>(service: "orchestrator" | "collector", path: string, init: RequestInit, timeout: number): Promise<Said<T>> {
  const id = (await headers()).get("x-request-id") ?? "";
  const begin = performance.now();
  let problem: string;
  try {
    const answer = await fetch(config()[service] + path, {
      ...init,
      cache: "no-store",
      signal: AbortSignal.timeout(timeout),
      headers: { "content-type": "application/json", "x-request-id": id },
    });
    const body: unknown = await answer.json();
    if (answer.ok) return { value: body as T };
    const detail = (body as { detail?: unknown }).detail;
    problem = typeof detail === "string" ? detail : `${service} answers ${answer.status}`;
  } catch (error) {
    const slow = error instanceof Error && error.name === "TimeoutError";
    problem = slow ? `${service} did not answer within ${timeout / 1000} s` : `${service} cannot be reached`;
  }
  log("warning", `${service}: ${problem}`, { request_id: id, path, seconds: (performance.now() - begin) / 1000 });
  return { problem };
}

export function get<T>(service: "orchestrator" | "collector", path: string): Promise<Said<T>> {
  return call<T>(service, path, {}, 4000);
}

export function post<T>(service: "orchestrator" | "collector", path: string, body: unknown): Promise<Said<T>> {
  // The orchestrator gives its agents 10 s.
  return call<T>(service, path, { method: "POST", body: JSON.stringify(body) }, 30000);
}
