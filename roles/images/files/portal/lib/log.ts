// Structured logs: one JSON object a line on standard error, as the other services write them.

export function log(level: "info" | "warning" | "error", message: string, more: Record<string, unknown> = {}): void {
  const entry = { time: new Date().toISOString(), level, service: "portal", message, ...more };
  process.stderr.write(`${JSON.stringify(entry)}\n`);
}
