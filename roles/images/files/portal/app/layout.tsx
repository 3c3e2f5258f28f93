import type { Metadata } from "next";
import { cookies } from "next/headers";
import type { ReactNode } from "react";
import { Navigation } from "../components/navigation";
import { user } from "../lib/user";
import "./globals.css";

export const metadata: Metadata = { title: "OptiInfra", description: "State, ports and recommendations of the platform" };
// Everything is asked anew: there is nothing to keep from one request to the next.
export const dynamic = "force-dynamic";

export default async function Layout({ children }: { children: ReactNode }) {
  const theme = (await cookies()).get("theme")?.value;
  const chosen = theme === "light" || theme === "dark" ? theme : undefined;
  return (
    <html lang="en" data-theme={chosen}>
      <body>
        {(await user()) && <Navigation theme={chosen} />}
        <main>{children}</main>
      </body>
    </html>
  );
}
