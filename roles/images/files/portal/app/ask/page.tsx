import Link from "next/link";
import { Badge, Problem, When } from "../../components/parts";
import type { Answer } from "../../lib/contract";
import { get } from "../../lib/upstream";
import { requireUser } from "../../lib/user";
import { Form } from "./form";

export default async function Ask() {
  await requireUser();
  const before = await get<Answer[]>("orchestrator", "/api/v1/requests");
  return (
    <>
      <h1>Ask the agents</h1>
      <Form />
      <h2>Asked before</h2>
      <Problem text={before.problem} />
      {before.value?.length === 0 && <p className="soft">Nothing yet.</p>}
      {!!before.value?.length && (
        <table>
          <tbody>
            {before.value.map((one) => (
              <tr key={one.id}>
                <td>
                  <Link href={`/requests/${one.id}`}>{one.question}</Link>
                </td>
                <td>
                  <Badge state={one.status} />
                </td>
                <td>
                  <When at={one.created_at} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </>
  );
}
