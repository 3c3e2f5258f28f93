import Link from "next/link";
import { Problem } from "../../components/parts";
import type { ServiceState } from "../../lib/contract";
import { BOX, layout } from "../../lib/map";
import { stack } from "../../lib/stack";
import { get } from "../../lib/upstream";
import { requireUser } from "../../lib/user";

export default async function PortMap({ searchParams }: { searchParams: Promise<{ flow?: string }> }) {
  await requireUser();
  const [{ flow }, map, states] = await Promise.all([
    searchParams,
    stack(),
    get<ServiceState[]>("orchestrator", "/api/v1/services"),
  ]);
  if (!map) return <Problem text="No port map was given to this portal." />;
  const state = new Map(states.value?.map((one) => [one.service, one.state]));
  const drawing = layout(map);
  const chosen = map.flows.some((one) => one.name === flow) ? flow : undefined;
  return (
    <>
      <h1>{map.title}</h1>
      <div className="filters" role="group" aria-label="Flows">
        <Link className="button" href="/map" aria-current={chosen ? undefined : "true"}>
          All flows
        </Link>
        {map.flows.map((one) => (
          <Link
            className="button"
            key={one.name}
            href={`/map?flow=${encodeURIComponent(one.name)}`}
            aria-current={chosen === one.name ? "true" : undefined}
          >
            {one.name}
          </Link>
        ))}
      </div>
      <Problem text={states.problem} />
      <div className="map card">
        <svg viewBox={`0 0 ${drawing.width} ${drawing.height}`} role="img" aria-label="Services, ports and flows">
          <defs>
            {["", "chosen"].map((kind) => (
              <marker key={kind} id={`head${kind}`} viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
                <path className={`head ${kind}`} d="M0,0 L8,4 L0,8 z" />
              </marker>
            ))}
          </defs>
          {drawing.rows.map((row) => (
            <text key={row.title} className="small" x="8" y={row.y + BOX.height / 2 + 4}>
              {row.title}
            </text>
          ))}
          {drawing.lines
            .filter((line) => !chosen || line.flow === chosen)
            .map((line) => {
              const mark = chosen ? "chosen" : "";
              return (
                <path key={`${line.flow}/${line.from}/${line.to}`} className={`line ${mark}`} d={line.path} markerEnd={`url(#head${mark})`}>
                  <title>{`${line.flow}: ${line.from} to ${line.to}, ${line.label}`}</title>
                </path>
              );
            })}
          {drawing.boxes.map((box) => (
            <g key={box.id} className={`box ${state.get(box.id) ?? ""}`} data-service={box.id} transform={`translate(${box.x},${box.y})`}>
              <title>{box.service ? `${box.service.title}: ${box.service.purpose}` : box.id}</title>
              <rect width={BOX.width} height={BOX.height} rx="8" />
              <text x="10" y="20" fontWeight="600">
                {box.service?.title ?? box.id}
              </text>
              {box.service && (
                <text className="port" x="10" y="38">
                  {box.service.endpoints.map((one) => one.published).join(", ") || "no port"}
                </text>
              )}
              <text className="small" x="10" y="54">
                {box.service ? (state.get(box.id) ?? "unknown") : "not ours"}
              </text>
            </g>
          ))}
        </svg>
      </div>
      <h2>Every port</h2>
      <table>
        <thead>
          <tr>
            <th>On the host</th>
            <th>Endpoint</th>
            <th>In the container</th>
            <th>Purpose</th>
          </tr>
        </thead>
        <tbody>
          {map.services
            .flatMap((service) => service.endpoints.map((one) => ({ service, one })))
            .sort((a, b) => a.one.published - b.one.published)
            .map(({ service, one }) => (
              <tr key={one.name}>
                <td className="number">{`${one.address}:${one.published}`}</td>
                <td className="number">{one.name}</td>
                <td className="number">{one.target}</td>
                <td>{service.purpose}</td>
              </tr>
            ))}
        </tbody>
      </table>
    </>
  );
}
