/** The server's resources as functions, one per call of docs/reference/http.md that the console makes. */
import { request } from './http.ts';
import type {
  Conversation,
  ConversationPage,
  ImportResult,
  KnowledgeEntry,
  Locale,
  Role,
  Team,
  Teammate,
  UploadedFile,
  User,
  View,
  Visitor,
  VisitorChange,
} from './types.ts';

export const PAGE_SIZE = 50;

export async function signIn(login: string, password: string): Promise<User> {
  return (await request<{ user: User }>('POST', '/session', { body: { login, password } })).user;
}

export async function whoAmI(signal?: AbortSignal): Promise<User> {
  return (await request<{ user: User }>('GET', '/session', signal ? { signal } : {})).user;
}

export async function signOut(): Promise<void> {
  await request<void>('DELETE', '/session');
}

export async function changePassword(current: string, next: string): Promise<User> {
  const body = { current, new: next };
  return (await request<{ user: User }>('POST', '/session/password', { body })).user;
}

/** A ticket for the socket's `hello`, valid for one minute. */
export async function ticket(): Promise<string> {
  return (await request<{ ticket: string }>('POST', '/session/ticket')).ticket;
}

export interface ProfileChange {
  readonly name?: string;
  readonly locale?: Locale;
  readonly accepting?: boolean;
}

export async function changeProfile(change: ProfileChange): Promise<User> {
  return (await request<{ user: User }>('PATCH', '/session/user', { body: change })).user;
}

export async function listUsers(signal: AbortSignal): Promise<readonly Teammate[]> {
  return (await request<{ users: readonly Teammate[] }>('GET', '/users', { signal })).users;
}

export interface NewUser {
  readonly login: string;
  readonly name: string;
  readonly role: Role;
}

/** Create a user; `password` is shown once and never again. */
export async function createUser(user: NewUser): Promise<{ user: User; password: string }> {
  return request<{ user: User; password: string }>('POST', '/users', { body: user });
}

export async function listTeams(signal: AbortSignal): Promise<readonly Team[]> {
  return (await request<{ teams: readonly Team[] }>('GET', '/teams', { signal })).teams;
}

export type TeamFields = Omit<Team, 'id'>;

/** Make a team, or change the one with this id. */
export async function saveTeam(id: number | null, fields: TeamFields): Promise<Team> {
  return id === null
    ? request<Team>('POST', '/teams', { body: fields })
    : request<Team>('PATCH', `/teams/${id}`, { body: fields });
}

export async function deleteTeam(id: number): Promise<void> {
  await request<void>('DELETE', `/teams/${id}`);
}

export interface ListQuery {
  readonly view: View;
  readonly q: string;
  /** `time` of the last one of the page before (waiting: its `since`). */
  readonly before?: number;
  readonly limit?: number;
}

export async function listConversations(
  query: ListQuery,
  signal?: AbortSignal,
): Promise<ConversationPage> {
  const params = new URLSearchParams({ view: query.view, limit: String(query.limit ?? PAGE_SIZE) });
  if (query.q !== '') params.set('q', query.q);
  if (query.before !== undefined) params.set('before', String(query.before));
  return request<ConversationPage>('GET', `/conversations?${params}`, signal ? { signal } : {});
}

export async function getConversation(
  id: number,
  signal?: AbortSignal,
): Promise<{ conversation: Conversation; visitor: Visitor }> {
  return request('GET', `/conversations/${id}`, signal ? { signal } : {});
}

export async function changeVisitor(id: string, change: VisitorChange): Promise<Visitor> {
  const path = `/visitors/${encodeURIComponent(id)}`;
  return (await request<{ visitor: Visitor }>('PATCH', path, { body: change })).visitor;
}

export async function uploadFile(file: File, signal?: AbortSignal): Promise<UploadedFile> {
  const form = new FormData();
  form.append('file', file, file.name);
  return (
    await request<{ file: UploadedFile }>('POST', '/files', signal ? { form, signal } : { form })
  ).file;
}

export async function listKnowledge(
  query: { q: string; limit: number; offset: number },
  signal: AbortSignal,
): Promise<{ entries: readonly KnowledgeEntry[]; total: number }> {
  const params = new URLSearchParams({ limit: String(query.limit), offset: String(query.offset) });
  if (query.q !== '') params.set('q', query.q);
  return request('GET', `/knowledge?${params}`, { signal });
}

export async function importKnowledge(file: File): Promise<ImportResult> {
  const form = new FormData();
  form.append('file', file, file.name);
  return request('POST', '/knowledge/import', { form });
}
