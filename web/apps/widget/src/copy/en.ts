/** What visitors read, in English. Rule: written, not translated. */

import type { Copy } from '../contract.ts';

const plural = (count: number, one: string, many: string): string =>
  `${count} ${count === 1 ? one : many}`;

export const copy: Copy = {
  title: 'Chat with us',
  bot: 'Assistant',
  agent: 'Support',
  you: 'You',
  botServes: 'Assistant online',
  serves: (name) => `You’re talking to ${name}`,
  waits: 'Finding someone for you',
  ended: 'Chat ended. Write to carry on.',
  connecting: 'Connecting…',
  away: 'Unavailable',
  ahead: (count) => (count > 0 ? `${count} ahead of you` : 'You’re next'),
  about: (seconds) =>
    seconds < 60
      ? `about ${Math.max(10, Math.ceil(seconds / 10) * 10)} s`
      : `about ${Math.ceil(seconds / 60)} min`,
  queueHint: 'Feel free to write your question now. They’ll see it when they join.',
  handoff: 'Talk to a person',
  close: 'Minimise chat',
  placeholder: 'Write a message…',
  send: 'Send',
  attach: 'Send an image or a file',
  log: 'Messages',
  older: 'Loading earlier messages…',
  newMessages: (count) => plural(count, 'new message', 'new messages'),
  sources: 'Source',
  partial: 'This answer was cut short. Try asking again, or talk to a person.',
  typing: 'Typing',
  read: 'Read',
  sending: 'Sending…',
  queued: 'Waiting to send',
  failed: 'Not sent',
  reasons: {
    112: 'it’s empty or too long',
    114: 'it can’t be sent here',
    115: 'not possible right now',
    0: 'too many unsent messages',
  },
  retry: 'Try again',
  remove: 'Delete',
  tooLong: (over) => `${plural(over, 'character', 'characters')} too long. Please split it up.`,
  offline: 'You’re offline. Keep writing: messages go out once you’re back.',
  retryNow: 'Try now',
  stopped: 'The connection has ended. Please reload the page.',
  banned: 'Chat isn’t available to you at the moment.',
  failedStart: 'We can’t reach support right now. Trying again…',
  rate: 'How did we do?',
  stars: (count) => plural(count, 'star', 'stars'),
  comment: 'Anything to add? (optional)',
  submit: 'Send rating',
  rated: (count) => `Thanks for rating us ${plural(count, 'star', 'stars')}`,
  toWaiting: 'We’re finding someone for you',
  toOpen: (name) => `${name} joined`,
  toBot: 'You’re back with our assistant',
  toClosed: 'This chat has ended',
  reopened: 'New chat',
  tooLarge: (mb) =>
    mb ? `That file is too large. The limit is ${mb} MB.` : 'That file is too large',
  emptyFile: 'That file is empty',
  wrongType: 'That kind of file can’t be sent',
  uploadFailed: 'The upload failed. Please try again.',
  drop: 'Drop to send',
  yesterday: 'Yesterday',
  by: 'Powered by Qingniao',
  flag: (count) => `(${count}) New message${count === 1 ? '' : 's'}`,
};
