// What orchestrator and collector answer; see their OpenAPI pages at /docs.

export type Agent = { id: string; type: string; host: string; port: number; registered_at: number; seen_at: number };
export type Severity = "info" | "warning" | "error";
export type Recommendation = {
  agent?: string;
  rule: string;
  target: string;
  subject: string;
  severity: Severity;
  summary: string;
  evidence: Record<string, unknown>;
  similar?: { summary: string; target: string; seen_at: string; score: number }[];
  seen_at?: string;
};
export type Result = {
  agent: string;
  status: "answered" | "failed";
  reason?: string | null;
  result?: {
    series?: number;
    recommendations?: Recommendation[];
    summary?: { text?: string | null; reason?: string | null };
  } | null;
};
export type Answer = {
  id: string;
  question: string;
  status: "complete" | "partial" | "failed";
  results: Result[];
  created_at?: string | null;
};
export type ServiceState = { service: string; state: "up" | "down" };
export type Target = {
  name: string;
  kind: string;
  url: string;
  last: { at: number; samples: number; seconds: number; problem: string } | null;
};
export const AGENT_TYPES = ["cost", "performance", "resource", "application"] as const;
