/** The list and the chat before anything is known: grey, in the real shape. */

const WIDTHS = [62, 48, 70, 55, 64, 44, 58];

export function RowsSkeleton() {
  return (
    <div className="rows-frame" aria-hidden="true">
      {WIDTHS.map((width) => (
        <div key={width} className="row row-bones">
          <span className="bone bone-disc" />
          <span className="row-main">
            <span className="bone" style={{ width: `${width - 14}%`, height: 15 }} />
            <span className="bone" style={{ width: `${width + 25}%`, height: 13 }} />
            <span className="bone" style={{ width: 64, height: 18, borderRadius: 9 }} />
          </span>
        </div>
      ))}
    </div>
  );
}

export function TranscriptSkeleton() {
  return (
    <div className="bones-chat" aria-hidden="true">
      <span className="bone" style={{ width: '38%', height: 42 }} />
      <span className="bone" style={{ width: '62%', height: 92 }} />
      <span className="bone" style={{ width: '46%', height: 42 }} />
      <span className="bone bone-own" style={{ width: '52%', height: 62 }} />
      <span className="bone" style={{ width: '30%', height: 42 }} />
    </div>
  );
}
