/** Words stuck to a visitor: pressed away, typed in. */
import { type KeyboardEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Icon } from '../parts/icon.tsx';

const AT_MOST = 20;
const MAX_LENGTH = 24;

/** The tags with one more, unless it is empty, already there, or one too many. */
export function withTag(tags: readonly string[], typed: string): readonly string[] {
  const tag = typed.trim().slice(0, MAX_LENGTH);
  if (tag === '' || tags.length >= AT_MOST || tags.includes(tag)) return tags;
  return [...tags, tag];
}

export function Tags(props: {
  tags: readonly string[];
  onSave: (tags: readonly string[]) => void;
}) {
  const { tags, onSave } = props;
  const { t } = useTranslation();
  const [text, setText] = useState<string | null>(null);

  const finish = () => {
    const next = withTag(tags, text ?? '');
    if (next !== tags) onSave(next);
    setText(null);
  };
  const onKeyDown = (event: KeyboardEvent<HTMLInputElement>) => {
    if (event.nativeEvent.isComposing) return;
    if (event.key === 'Escape') setText(null);
    if (event.key !== 'Enter' && event.key !== ',') return;
    event.preventDefault();
    const next = withTag(tags, text ?? '');
    if (next !== tags) onSave(next);
    setText('');
  };

  return (
    <ul className="tags" aria-label={t('visitor.tags')}>
      {tags.map((tag) => (
        <li key={tag} className="tag">
          <span className="clip">{tag}</span>
          <button
            type="button"
            className="plain-button"
            aria-label={t('visitor.remove_tag', { tag })}
            onClick={() => onSave(tags.filter((one) => one !== tag))}
          >
            <Icon name="close" size={11} />
          </button>
        </li>
      ))}
      <li>
        {text === null ? (
          <button type="button" className="tag tag-add" onClick={() => setText('')}>
            <Icon name="plus" size={11} />
            {t('visitor.add_tag')}
          </button>
        ) : (
          <input
            className="tag tag-input"
            // biome-ignore lint/a11y/noAutofocus: it appears because the agent asked for it
            autoFocus
            value={text}
            maxLength={MAX_LENGTH}
            aria-label={t('visitor.add_tag')}
            onChange={(event) => setText(event.target.value)}
            onBlur={finish}
            onKeyDown={onKeyDown}
          />
        )}
      </li>
    </ul>
  );
}
