"use server";

import { redirect } from "next/navigation";
import { AGENT_TYPES, type Answer } from "../../lib/contract";
import { post } from "../../lib/upstream";
import { requireUser } from "../../lib/user";

/** Send a request through the orchestrator and go to its answer; return what is wrong when there is none. */
export async function ask(_before: string, form: FormData): Promise<string> {
  await requireUser();
  const question = String(form.get("question") ?? "").trim();
  const agents = AGENT_TYPES.filter((type) => form.getAll("agents").includes(type));
  if (!question || question.length > 2000) return "A question has 1 to 2000 characters.";
  if (!agents.length) return "Choose at least one agent.";
  const answer = await post<Answer>("orchestrator", "/api/v1/requests", { question, agents });
  if (!answer.value) return answer.problem;
  redirect(`/requests/${answer.value.id}`);
}
