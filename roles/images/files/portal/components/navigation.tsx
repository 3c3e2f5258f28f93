"use client";

import Link from "next/link";
import { usePathname } from "next/navigation";
import { logout } from "../app/login/actions";

const PAGES = { "/": "Services", "/map": "Port map", "/recommendations": "Recommendations", "/ask": "Ask the agents" };

export function Navigation({ theme }: { theme?: "light" | "dark" }) {
  const path = usePathname();
  const change = () => {
    const dark = theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    const next = document.documentElement.dataset.theme ?? (dark ? "dark" : "light");
    const other = next === "dark" ? "light" : "dark";
    document.documentElement.dataset.theme = other;
    document.cookie = `theme=${other}; path=/; max-age=31536000; samesite=strict`;
  };
  return (
    <header>
      <strong>OptiInfra</strong>
      <nav aria-label="Pages">
        {Object.entries(PAGES).map(([href, title]) => (
          <Link key={href} href={href} aria-current={path === href ? "page" : undefined}>
            {title}
          </Link>
        ))}
      </nav>
      <button type="button" onClick={change} aria-label="Change between light and dark">
        ◐
      </button>
      <form action={logout}>
        <button>Log out</button>
      </form>
    </header>
  );
}
