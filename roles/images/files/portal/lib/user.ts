import { cookies } from "next/headers";
import { redirect } from "next/navigation";
import { config } from "./config";
import { COOKIE, read } from "./session";

export async function user(): Promise<string | undefined> {
  return read(config().authSecret, (await cookies()).get(COOKIE)?.value);
}

/** Return who asks, or send them to the login. Every page and action begins with it. */
export async function requireUser(): Promise<string> {
  return (await user()) ?? redirect("/login");
}
