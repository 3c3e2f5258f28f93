"use client";

import { useActionState } from "react";
import { Problem } from "../../components/parts";
import { AGENT_TYPES } from "../../lib/contract";
import { ask } from "./actions";

export function Form() {
  const [problem, submit, waiting] = useActionState(ask, "");
  return (
    <form action={submit} className="card">
      <label>
        Question
        <textarea name="question" rows={3} maxLength={2000} required placeholder="Where do we waste money?" />
      </label>
      <fieldset>
        <legend className="soft">Agents</legend>
        {AGENT_TYPES.map((type) => (
          <label key={type}>
            <input type="checkbox" name="agents" value={type} defaultChecked /> {type}
          </label>
        ))}
      </fieldset>
      <Problem text={problem} />
      <button className="primary" disabled={waiting}>
        {waiting ? "The agents look…" : "Ask"}
      </button>
    </form>
  );
}
