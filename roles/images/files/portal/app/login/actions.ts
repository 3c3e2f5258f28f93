"use server";

import { cookies } from "next/headers";
import { redirect } from "next/navigation";
import { config } from "../../lib/config";
import { log } from "../../lib/log";
import { COOKIE, LIFETIME, issue, same } from "../../lib/session";

// After a wrong password everybody waits: guessing is slow, however many guess at once.
let next = 0;

export async function login(_before: string, form: FormData): Promise<string> {
  const wait = next - Date.now();
  if (wait > 0) await new Promise((resolve) => setTimeout(resolve, Math.min(wait, 10_000)));
  const given = [form.get("user"), form.get("password")].map((value) => String(value ?? "").slice(0, 1000));
  const right = [config().user, config().password].map((value, index) => same(given[index], value));
  if (!right.every(Boolean)) {
    next = Math.max(next, Date.now()) + 1000;
    log("warning", "a login failed");
    return "User or password is wrong.";
  }
  (await cookies()).set(COOKIE, issue(config().authSecret, given[0]), {
    httpOnly: true,
    sameSite: "strict",
    path: "/",
    maxAge: LIFETIME,
  });
  redirect("/");
}

export async function logout(): Promise<void> {
  (await cookies()).delete(COOKIE);
  redirect("/login");
}
