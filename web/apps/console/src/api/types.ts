/**
 * What the server says over HTTP, by hand from docs/reference/http.md. Owns shapes, no behaviour.
 * All times are milliseconds since 1970-01-01 UTC.
 */

export type Role = 'admin' | 'agent';
export type Locale = 'zh-CN' | 'en';
export type Status = 'bot' | 'waiting' | 'open' | 'closed';
export type View = 'mine' | 'waiting' | 'all';

export interface User {
  readonly id: number;
  readonly login: string;
  readonly name: string;
  readonly role: Role;
  readonly locale: Locale;
  readonly accepting: boolean;
  readonly must_change_password: boolean;
}

export interface Teammate extends User {
  readonly online: boolean;
}

export interface AgentRef {
  readonly id: number;
  readonly name: string;
}

export interface TeamRef {
  readonly id: number;
  readonly name: string;
}

export interface Team extends TeamRef {
  /** What belongs to it, for bots that choose. */
  readonly description: string;
  /** Ids of users. */
  readonly members: readonly number[];
}

export interface VisitorRef {
  readonly id: string;
  readonly name: string;
}

export interface Conversation {
  readonly id: number;
  readonly status: Status;
  readonly assignee: AgentRef | null;
  /** The last `seq`. */
  readonly last: number;
  readonly session: number;
  readonly time: number;
  /** When the present status began. */
  readonly since: number;
  readonly preview: string;
  readonly sender: string;
  readonly why: string | null;
  /** How far the visitor and the agents have read. */
  readonly read: { readonly v: number; readonly a: number };
  readonly visitor: VisitorRef;
  readonly online: boolean;
  /** Which team it was handed to; `null`: to anybody. */
  readonly team: TeamRef | null;
}

export interface Counts {
  readonly mine: number;
  readonly waiting: number;
  readonly all: number;
}

export interface ConversationPage {
  readonly conversations: readonly Conversation[];
  readonly counts: Counts;
  readonly more: boolean;
}

export interface Visitor {
  readonly id: string;
  readonly name: string;
  readonly phone: string;
  readonly email: string;
  readonly note: string;
  readonly tags: readonly string[];
  readonly locale: string;
  readonly page: string;
  readonly title: string;
  readonly referrer: string;
  readonly browser: string;
  readonly first_seen: number;
  readonly last_seen: number;
  readonly conversation: number;
}

export interface VisitorChange {
  readonly name?: string;
  readonly phone?: string;
  readonly email?: string;
  readonly note?: string;
  readonly tags?: readonly string[];
}

export interface UploadedFile {
  readonly id: string;
  readonly name: string;
  readonly size: number;
  readonly mime: string;
  readonly w?: number;
  readonly h?: number;
}

export interface KnowledgeEntry {
  readonly id: number | string;
  readonly title: string;
  readonly question: string;
  readonly alternatives: readonly string[];
  readonly answer: string;
  readonly category: string;
}

export interface ImportResult {
  readonly imported: number;
  readonly problems: readonly { readonly line: number; readonly text: string }[];
}
