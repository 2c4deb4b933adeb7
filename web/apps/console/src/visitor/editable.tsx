/** A value that turns into a field when it is pressed. Enter or leaving saves, Escape puts it back. */
import { Input } from 'antd';
import { type KeyboardEvent, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';

interface EditableProps {
  readonly label: string;
  readonly value: string;
  /** What is shown instead of an empty value. */
  readonly shown?: string;
  readonly type?: 'text' | 'tel' | 'email';
  readonly maxLength: number;
  readonly onSave: (value: string) => void;
  readonly isLong?: boolean;
  readonly isTitle?: boolean;
}

export function EditableField(props: EditableProps) {
  const { label, value, type = 'text', maxLength, onSave, isLong = false, isTitle = false } = props;
  const { t } = useTranslation();
  const [text, setText] = useState<string | null>(null);
  const isGivenUp = useRef(false);
  const shown = value === '' ? (props.shown ?? '') : value;

  if (text === null) {
    return (
      <button
        type="button"
        className={isTitle ? 'editable editable-title' : 'editable'}
        aria-label={`${t('visitor.edit', { field: label })}: ${shown === '' ? t('visitor.empty') : shown}`}
        onClick={() => {
          isGivenUp.current = false;
          setText(value);
        }}
      >
        {shown === '' ? <span className="editable-empty">{t('visitor.empty')}</span> : shown}
      </button>
    );
  }

  const finish = () => {
    if (!isGivenUp.current && text.trim() !== value) onSave(text.trim());
    setText(null);
  };
  const onKeyDown = (event: KeyboardEvent<HTMLElement>) => {
    if (event.nativeEvent.isComposing) return;
    if (event.key === 'Escape') {
      event.stopPropagation();
      isGivenUp.current = true;
      event.currentTarget.blur();
    }
    if (event.key === 'Enter' && !(isLong && event.shiftKey)) {
      event.preventDefault();
      event.currentTarget.blur();
    }
  };
  const shared = {
    value: text,
    maxLength,
    autoFocus: true,
    'aria-label': label,
    onBlur: finish,
    onKeyDown,
  };
  if (isLong) {
    return (
      <Input.TextArea
        {...shared}
        autoSize={{ minRows: 2, maxRows: 8 }}
        onChange={(event) => setText(event.target.value)}
      />
    );
  }
  return <Input {...shared} type={type} onChange={(event) => setText(event.target.value)} />;
}
