/**
 * Calling the agent back to the page. Owns how: a notification, two notes. Its one rule: an agent who is looking at the console is not called by it, and nothing is called twice.
 */
import { useEffect, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { visitorName } from '../format/names.ts';
import { useLive, useRows } from '../live/context.tsx';
import { navigate } from '../router/router.ts';
import { currentPrefs } from './prefs.ts';
import { worthACall } from './reasons.ts';

export function useAnnouncements(): void {
  const { me } = useLive();
  const rows = useRows();
  const { t } = useTranslation();
  const before = useRef(rows);
  useEffect(() => {
    const held = before.current;
    before.current = rows;
    if (held === rows || document.hasFocus()) return;
    for (const [id, row] of rows) {
      const known = held.get(id);
      if (known === row) continue;
      const reason = worthACall(known, row, me.id);
      if (reason === null) continue;
      const name = visitorName(row.visitor, t);
      const { sound, desktop } = currentPrefs();
      if (desktop) show(id, t(`notify.${reason}`, { name }), row.preview);
      if (sound) chime();
    }
  }, [rows, me.id, t]);
}

function show(id: number, title: string, body: string): void {
  if (!('Notification' in window) || Notification.permission !== 'granted') return;
  // The tag makes a second call for the same conversation replace the first.
  const shown = new Notification(title, { body, tag: `qingniao-${id}`, icon: '/console/icon.svg' });
  shown.onclick = () => {
    window.focus();
    navigate({ name: 'inbox', view: 'mine', id, panel: false });
    shown.close();
  };
}

let audio: AudioContext | undefined;

/** Two soft notes, made here: nothing to fetch. */
export function chime(): void {
  audio ??= new AudioContext();
  const start = audio.currentTime;
  [659, 880].forEach((pitch, index) => {
    if (audio === undefined) return;
    const tone = audio.createOscillator();
    const volume = audio.createGain();
    const at = start + index * 0.12;
    tone.frequency.value = pitch;
    volume.gain.setValueAtTime(0, at);
    volume.gain.linearRampToValueAtTime(0.08, at + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.0001, at + 0.28);
    tone.connect(volume).connect(audio.destination);
    tone.start(at);
    tone.stop(at + 0.3);
  });
}
