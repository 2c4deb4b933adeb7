/** A file in the conversation: images are shown at their shape, so nothing moves when they arrive. */
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { fileSize } from '../format/size.ts';
import { Icon } from '../parts/icon.tsx';
import { type FileBody, fileUrl, isImage } from './bodies.ts';

const MAX_WIDTH = 320;
const MAX_HEIGHT = 280;

/** The size to show an image at; a square of middle size when its own is not known. */
export function fitted(file: { w: number | null; h: number | null }): {
  width: number;
  height: number;
} {
  if (file.w === null || file.h === null || file.w <= 0 || file.h <= 0) {
    return { width: 200, height: 200 };
  }
  const scale = Math.min(1, MAX_WIDTH / file.w, MAX_HEIGHT / file.h);
  return {
    width: Math.max(48, Math.round(file.w * scale)),
    height: Math.max(48, Math.round(file.h * scale)),
  };
}

export function FileCard({ file }: { file: FileBody }) {
  const { t } = useTranslation();
  const [isBroken, setBroken] = useState(false);
  if (isImage(file) && !isBroken) {
    const { width, height } = fitted(file);
    return (
      <a className="picture" href={fileUrl(file)} target="_blank" rel="noopener">
        <img
          src={fileUrl(file)}
          alt={t('chat.image', { name: file.name })}
          width={width}
          height={height}
          loading="lazy"
          decoding="async"
          onError={() => setBroken(true)}
        />
      </a>
    );
  }
  const size = fileSize(file.size);
  return (
    <a
      className="file"
      href={fileUrl(file)}
      download={file.name}
      title={t('chat.download', { name: file.name, size })}
    >
      <span className="file-sign">
        <Icon name="file" size={20} />
      </span>
      <span className="file-words">
        <span className="file-name">{file.name}</span>
        <span className="file-size">{size}</span>
      </span>
    </a>
  );
}
