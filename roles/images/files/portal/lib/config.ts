// What the portal reads from its environment, under the names that a customer's own portal reads.

function url(name: string, fallback: string): string {
  const value = (process.env[name] || fallback).replace(/\/+$/, "");
  if (!/^https?:\/\/[^/]+/.test(value)) throw new Error(`${name} must be a URL such as http://host:8080`);
  return value;
}

function secret(name: string, least: number): string {
  const value = process.env[name] ?? "";
  if (value.length < least) throw new Error(`${name} must have at least ${least} characters`);
  return value;
}

export type Config = ReturnType<typeof read>;

export function read() {
  return {
    orchestrator: url("ORCHESTRATOR_URL", "http://orchestrator:8080"),
    collector: url("DATA_COLLECTOR_URL", "http://data-collector:8005"),
    authSecret: secret("AUTH_SECRET", 16),
    user: process.env.PORTAL_USER || "admin",
    password: secret("PORTAL_PASSWORD", 8),
    portMap: process.env.PORT_MAP || "/etc/optiinfra/port-map.json",
  };
}

let known: Config | undefined;

export function config(): Config {
  known ??= read();
  return known;
}
