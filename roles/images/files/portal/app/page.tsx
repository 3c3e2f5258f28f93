import { Badge, Problem, When } from "../components/parts";
import { Refresh } from "../components/refresh";
import type { Agent, ServiceState, Target } from "../lib/contract";
import { health } from "../lib/health";
import { stack } from "../lib/stack";
import { get } from "../lib/upstream";
import { requireUser } from "../lib/user";

export default async function Services() {
  await requireUser();
  const [own, map, states, agents, targets] = await Promise.all([
    health(),
    stack(),
    get<ServiceState[]>("orchestrator", "/api/v1/services"),
    get<Agent[]>("orchestrator", "/agents"),
    get<Target[]>("collector", "/api/v1/targets"),
  ]);
  const state = new Map(states.value?.map((one) => [one.service, one.state]));
  const services = map?.services ?? states.value?.map((one) => ({ name: one.service, title: one.service, purpose: "", endpoints: [] }));
  const down = states.value?.filter((one) => one.state === "down").map((one) => one.service) ?? [];
  const away = Object.entries(own.dependencies).filter(([, said]) => said !== "ok");
  return (
    <>
      <Refresh seconds={10} />
      <h1>Services</h1>
      {away.map(([name, said]) => (
        <Problem key={name} text={`${name} ${said}`} />
      ))}
      <p>
        {states.value
          ? down.length
            ? `${down.length} of ${states.value.length} are down: ${down.join(", ")}`
            : `All ${states.value.length} are up.`
          : ""}
      </p>
      <Problem text={states.problem} />
      <div className="cards" data-testid="services">
        {services?.map((service) => (
          <div className="card" key={service.name} data-service={service.name}>
            <div className="row">
              <strong>{service.title}</strong>
              <Badge state={state.get(service.name) ?? "unknown"} />
            </div>
            <div className="soft">{service.purpose}</div>
            <div className="number">{service.endpoints.map((one) => `${one.address}:${one.published}`).join(", ") || "no port"}</div>
          </div>
        ))}
      </div>
      <h2>Agents</h2>
      <Problem text={agents.problem} />
      <table data-testid="agents">
        <thead>
          <tr>
            <th>Agent</th>
            <th>Type</th>
            <th>Address</th>
            <th>Last heartbeat</th>
          </tr>
        </thead>
        <tbody>
          {agents.value?.map((agent) => (
            <tr key={agent.id}>
              <td>{agent.id}</td>
              <td>{agent.type}</td>
              <td className="number">{`${agent.host}:${agent.port}`}</td>
              <td>
                <When at={agent.seen_at} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {agents.value?.length === 0 && <p className="soft">No agent is registered.</p>}
      <h2>Collected endpoints</h2>
      <Problem text={targets.problem} />
      {targets.value?.length === 0 && <p className="soft">None is given: set optiinfra_targets.</p>}
      {!!targets.value?.length && (
        <table>
          <thead>
            <tr>
              <th>Target</th>
              <th>Kind</th>
              <th>URL</th>
              <th>Last scrape</th>
              <th>Samples</th>
            </tr>
          </thead>
          <tbody>
            {targets.value.map((target) => (
              <tr key={target.name}>
                <td>{target.name}</td>
                <td>{target.kind}</td>
                <td className="number">{target.url}</td>
                <td>{target.last?.problem ? <span className="problem">{target.last.problem}</span> : <When at={target.last?.at} />}</td>
                <td className="number">{target.last?.samples ?? "-"}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </>
  );
}
