import type { Recommendation } from "../lib/contract";

export function Badge({ state }: { state: string }) {
  return <span className={`badge ${state}`}>{state}</span>;
}

export function Problem({ text }: { text?: string }) {
  return text ? (
    <p className="problem" role="alert">
      {text}
    </p>
  ) : null;
}

export function When({ at }: { at?: string | number | null }) {
  if (!at) return <span className="soft">never</span>;
  const date = new Date(typeof at === "number" ? at * 1000 : at);
  return <time dateTime={date.toISOString()}>{date.toISOString().replace("T", " ").slice(0, 19)} UTC</time>;
}

function Evidence({ values }: { values: Record<string, unknown> }) {
  const { window, ...rest } = values;
  const span = window as { since?: string; until?: string } | undefined;
  return (
    <table>
      <tbody>
        {span && (
          <tr>
            <th scope="row">window</th>
            <td className="number">
              {span.since} – {span.until}
            </td>
          </tr>
        )}
        {Object.entries(rest).map(([name, value]) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td className="number">{typeof value === "object" ? JSON.stringify(value) : String(value)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

export function Recommended({ one }: { one: Recommendation }) {
  return (
    <details className="card recommendation" data-rule={one.rule}>
      <summary>
        <Badge state={one.severity} /> {one.summary}
        {one.agent && <span className="soft"> · {one.agent}</span>}
      </summary>
      {one.seen_at && (
        <p className="soft">
          last seen <When at={one.seen_at} />
        </p>
      )}
      <Evidence values={one.evidence} />
      {one.similar && one.similar.length > 0 && (
        <>
          <h3>Similar before</h3>
          <ul>
            {one.similar.map((past) => (
              <li key={past.seen_at + past.summary}>
                {past.summary} <span className="soft">(<When at={past.seen_at} />, {Math.round(past.score * 100)} % alike)</span>
              </li>
            ))}
          </ul>
        </>
      )}
    </details>
  );
}
