import { Gauge, Registry, collectDefaultMetrics } from "prom-client";

const made = globalThis as { optiinfraMetrics?: ReturnType<typeof make> };

function make() {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  new Gauge({ name: "optiinfra_service_info", help: "Always 1; what is running", labelNames: ["service", "version"], registers })
    .labels("portal", "0.1.0")
    .set(1);
  const dependency = new Gauge({
    name: "optiinfra_dependency_up",
    help: "1 if the dependency answered its last check",
    labelNames: ["dependency"],
    registers,
  });
  return { registry, dependency };
}

// Once in a process, however often this file is loaded.
export const metrics = (made.optiinfraMetrics ??= make());
