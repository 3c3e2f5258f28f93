import { notFound } from "next/navigation";
import { Badge, Problem, Recommended, When } from "../../../components/parts";
import type { Answer } from "../../../lib/contract";
import { get } from "../../../lib/upstream";
import { requireUser } from "../../../lib/user";

export default async function Request({ params }: { params: Promise<{ id: string }> }) {
  await requireUser();
  const { id } = await params;
  if (!/^[0-9a-f-]{36}$/.test(id)) notFound();
  const found = await get<Answer>("orchestrator", `/api/v1/requests/${id}`);
  if (!found.value) return <Problem text={found.problem} />;
  const answer = found.value;
  return (
    <>
      <h1>{answer.question}</h1>
      <p>
        <Badge state={answer.status} /> <When at={answer.created_at} />
      </p>
      {answer.results.map((result) => (
        <section key={result.agent} data-agent={result.agent}>
          <h2>
            {result.agent} <Badge state={result.status} />
          </h2>
          <Problem text={result.reason ?? undefined} />
          {result.result?.summary?.text && <p className="card">{result.result.summary.text}</p>}
          {result.result?.summary?.reason && <p className="soft">No summary: {result.result.summary.reason}.</p>}
          {result.result?.recommendations?.map((one) => (
            <Recommended key={[one.rule, one.target, one.subject].join("/")} one={one} />
          ))}
          {result.status === "answered" && !result.result?.recommendations?.length && (
            <p className="soft">Nothing to recommend; {result.result?.series ?? 0} series were looked at.</p>
          )}
        </section>
      ))}
    </>
  );
}
