/** What can be drawn: to be dragged onto the canvas, or added behind what is selected with a click or Enter. */
import { Input } from 'antd';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { DRAGGED } from './canvas.tsx';
import { useDesk } from './context.ts';
import type { Kind } from './ports.ts';
import { GROUPS, KindSign, lookOf } from './signs.tsx';
import { kindAbout, kindName } from './words.ts';

interface PaletteProps {
  readonly hasStart: boolean;
  readonly onAdd: (kind: string) => void;
}

export function Palette({ hasStart, onAdd }: PaletteProps) {
  const { t } = useTranslation('flows');
  const { kinds } = useDesk();
  const [wanted, setWanted] = useState('');
  const text = wanted.trim().toLowerCase();
  const found = [...kinds.values()].filter(
    ({ kind, about }) =>
      text === '' ||
      `${kind} ${kindName(kind)} ${kindAbout(kind, about)}`.toLowerCase().includes(text),
  );
  return (
    <aside className="flow-palette" aria-label={t('palette.label')}>
      <p className="flow-palette-lead">{t('palette.heading')}</p>
      <Input
        size="small"
        allowClear
        value={wanted}
        aria-label={t('palette.search')}
        placeholder={t('palette.search')}
        onChange={(event) => setWanted(event.target.value)}
      />
      {found.length === 0 && <p className="field-hint">{t('palette.none', { text: wanted })}</p>}
      {GROUPS.map((group) => {
        const within = found.filter(({ kind }) => lookOf(kind).group === group);
        if (within.length === 0) return null;
        return (
          <section key={group}>
            <h2>{t(`palette.group_${group}`)}</h2>
            <ul>
              {within.map((kind) => (
                <li key={kind.kind}>
                  <Piece kind={kind} isOff={kind.kind === 'start' && hasStart} onAdd={onAdd} />
                </li>
              ))}
            </ul>
          </section>
        );
      })}
    </aside>
  );
}

interface PieceProps {
  readonly kind: Kind;
  readonly isOff: boolean;
  readonly onAdd: (kind: string) => void;
}

function Piece({ kind: { kind, about }, isOff, onAdd }: PieceProps) {
  const { t } = useTranslation('flows');
  return (
    // biome-ignore lint/a11y/useSemanticElements: not every browser drags a button
    <div
      role="button"
      className="flow-piece"
      tabIndex={isOff ? -1 : 0}
      aria-disabled={isOff}
      draggable={!isOff}
      title={isOff ? t('palette.one_start') : kindAbout(kind, about)}
      onClick={() => {
        if (!isOff) onAdd(kind);
      }}
      onKeyDown={(event) => {
        if (isOff || (event.key !== 'Enter' && event.key !== ' ')) return;
        event.preventDefault();
        onAdd(kind);
      }}
      onDragStart={(event) => {
        event.dataTransfer.setData(DRAGGED, kind);
        event.dataTransfer.effectAllowed = 'copy';
      }}
    >
      <KindSign kind={kind} />
      <span className="clip">{kindName(kind)}</span>
    </div>
  );
}
