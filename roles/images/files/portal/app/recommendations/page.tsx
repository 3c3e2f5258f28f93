import Link from "next/link";
import { Problem, Recommended } from "../../components/parts";
import { AGENT_TYPES, type Recommendation } from "../../lib/contract";
import { get } from "../../lib/upstream";
import { requireUser } from "../../lib/user";

export default async function Recommendations({ searchParams }: { searchParams: Promise<{ agent?: string }> }) {
  await requireUser();
  const { agent } = await searchParams;
  const found = await get<Recommendation[]>("orchestrator", "/api/v1/recommendations?limit=200");
  const shown = found.value?.filter((one) => !agent || one.agent === agent);
  return (
    <>
      <h1>Recommendations</h1>
      <div className="filters" role="group" aria-label="Agents">
        <Link className="button" href="/recommendations" aria-current={agent ? undefined : "true"}>
          All agents
        </Link>
        {AGENT_TYPES.map((type) => (
          <Link
            className="button"
            key={type}
            href={`/recommendations?agent=${type}-agent`}
            aria-current={agent === `${type}-agent` ? "true" : undefined}
          >
            {type}
          </Link>
        ))}
      </div>
      <Problem text={found.problem} />
      {shown?.length === 0 && <p className="soft">There is none yet. Agents look when they are asked.</p>}
      {shown?.map((one) => <Recommended key={[one.agent, one.rule, one.target, one.subject, one.seen_at].join("/")} one={one} />)}
    </>
  );
}
