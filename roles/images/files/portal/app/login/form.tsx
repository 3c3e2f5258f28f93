"use client";

import { useActionState } from "react";
import { Problem } from "../../components/parts";
import { login } from "./actions";

export function Form() {
  const [problem, submit, waiting] = useActionState(login, "");
  return (
    <form action={submit}>
      <label>
        User
        <input name="user" autoComplete="username" required />
      </label>
      <label>
        Password
        <input name="password" type="password" autoComplete="current-password" required />
      </label>
      <Problem text={problem} />
      <button className="primary" disabled={waiting}>
        Log in
      </button>
    </form>
  );
}
