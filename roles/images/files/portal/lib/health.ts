import { config } from "./config";
import { metrics } from "./metrics";

export type Health = { status: "healthy" | "unhealthy"; service: string; dependencies: Record<string, string> };

async function ask(url: string): Promise<string> {
  try {
    const answer = await fetch(`${url}/health`, { cache: "no-store", signal: AbortSignal.timeout(3000) });
    return answer.ok ? "ok" : `answers ${answer.status}`;
  } catch {
    return "cannot be reached";
  }
}

export async function health(): Promise<Health> {
  const asked = { orchestrator: config().orchestrator, "data-collector": config().collector };
  const said = await Promise.all(Object.entries(asked).map(async ([name, url]) => [name, await ask(url)] as const));
  for (const [name, result] of said) metrics.dependency.labels(name).set(result === "ok" ? 1 : 0);
  const status = said.every(([, result]) => result === "ok") ? "healthy" : "unhealthy";
  return { status, service: "portal", dependencies: Object.fromEntries(said) };
}
