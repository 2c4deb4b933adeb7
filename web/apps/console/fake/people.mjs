/** The people and conversations of the fake house: a clothes shop's afternoon, written out. Owns data only. */

const MINUTE = 60_000;

export const AGENTS = {
  zhou: { id: 3, login: 'zhouning', name: '周宁', role: 'agent' },
  admin: { id: 1, login: 'admin', name: '管理员', role: 'admin' },
  lin: { id: 4, login: 'linwei', name: '林薇', role: 'agent' },
};

const AGENT =
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Safari/537.36';
const PHONE =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Mobile/15E148 Safari/604.1';

export function visitorOf(id, name, conversation, now, more = {}) {
  return {
    id,
    name,
    phone: '',
    email: '',
    note: '',
    tags: [],
    locale: 'zh-CN',
    page: 'https://shop.example/orders',
    title: '我的订单',
    referrer: '',
    browser: AGENT,
    first_seen: now - 90 * 24 * 60 * MINUTE,
    last_seen: now - MINUTE,
    conversation,
    ...more,
  };
}

const step = (...stages) => ({
  answers: 1,
  trace: stages.map(([kind, port, note = {}], index) => ({
    node: `n${index}`,
    kind,
    port,
    ms: 0.4 + index,
    ...note,
  })),
});

const PARCELS = { id: 1002, name: '物流组' };

const status = (from, to, why, by, agent, team) => ({
  from,
  to,
  why,
  by,
  session: 1,
  ...(agent === undefined ? {} : { agent: { id: agent.id, name: agent.name } }),
  ...(team === undefined ? {} : { team }),
});

/** Visitor, state, and entries as `[minutes ago, sender, type, body]`, for each conversation. */
export function conversations(me, now) {
  const own = `a${me.id}`;
  return [
    {
      id: 1041,
      visitor: visitorOf('8c21f0aa', '林晓雨', 1041, now, {
        phone: '13800002047',
        email: 'linxy@example.com',
        tags: ['退货退款', '老客'],
        note: '上次退货顺利,喜欢驼色。',
        page: 'https://shop.example/help/returns',
        title: '退换货规则 · 山雀衣社',
        referrer: 'https://search.example/',
        browser: PHONE,
        last_seen: now,
      }),
      state: { status: 'open', assignee: me, why: 'asked', online: true, session: 4, unread: 2 },
      entries: [
        [62, 's', 4, status('', 'bot', '', 's')],
        [61, 'v', 1, '你们羊毛外套洗了会缩水吗'],
        [
          61,
          'b',
          8,
          step(
            ['sensitive', 'passed', { verdict: 'clean' }],
            ['intent', 'other', { intent: 'question', confidence: 0.991 }],
            ['knowledge', 'sure', { confidence: 0.88, hits: ['s12-01', 's12-02'] }],
            ['answer', 'answered', { bot: 'local', took_ms: 41, cites: ['s12-01'] }],
          ),
        ],
        [
          61,
          'b',
          3,
          {
            text: '羊毛含量 90% 以上,建议干洗;手洗请用 30℃ 以下的水,平铺晾干,不要拧。',
            bot: '本地助手',
            confidence: 0.88,
            took_ms: 41,
            cites: [
              { id: 'k12', title: '洗护说明', quote: '羊毛类:干洗,或 30℃ 以下轻柔手洗,平铺阴干。' },
            ],
          },
        ],
        [18, 'v', 1, '上周买的外套尺码不对,想退货'],
        [
          18,
          'b',
          8,
          step(
            ['intent', 'other', { intent: 'question', confidence: 0.95 }],
            ['knowledge', 'sure', { confidence: 0.93, hits: ['s01-01', 's02-04'] }],
            ['answer', 'answered', { bot: '售后助手', took_ms: 412, cites: ['s01-01', 's02-04'] }],
          ),
        ],
        [
          18,
          'b',
          3,
          {
            text: '签收 7 天内、吊牌完好可以退货。在「我的订单 → 申请售后」提交后,快递员会上门取件,您无需承担运费。',
            bot: '售后助手',
            confidence: 0.93,
            took_ms: 412,
            cites: [
              {
                id: 'k1',
                title: '退换货规则',
                quote: '签收之日起 7 天内,商品完好、吊牌未剪,可申请无理由退货。',
              },
              { id: 'k2', title: '上门取件说明', quote: '提交申请后 24 小时内快递员联系取件。' },
            ],
            options: ['申请退货', '换尺码', '转人工'],
          },
        ],
        [9, 'v', 1, '那退款多久能到账?我急用,帮我转人工'],
        [
          9,
          'b',
          8,
          step(
            ['intent', 'person', { intent: 'handoff', confidence: 0.99, why: ['转人工'] }],
            ['handoff', '', { why: 'asked' }],
          ),
        ],
        [9, 's', 4, status('bot', 'waiting', 'asked', 'v')],
        [
          9,
          'b',
          5,
          { text: '想退外套(尺码不合),已告知 7 天无理由与上门取件;现在问退款到账时间,情绪偏急。' },
        ],
        [8.87, 's', 4, status('waiting', 'open', 'took', own, me)],
        [7, own, 1, '林女士您好,我是周宁。取件扫描后 24 小时内原路退回,支付宝一般当天到账。'],
        [6, own, 6, '订单 DD-20261119-0231,¥459,已查到物流在杭州仓。'],
        [
          3,
          'v',
          2,
          { id: 'f_tag', name: '吊牌.png', size: 182_400, mime: 'image/png', w: 900, h: 620 },
        ],
        [3, 'v', 1, '吊牌还在的,这样可以吗'],
        [
          2,
          'v',
          2,
          {
            id: 'f_pdf',
            name: '电子发票-2026-11-19-山雀衣社(杭州)服饰有限公司.pdf',
            size: 84_200,
            mime: 'application/pdf',
          },
        ],
        [1, 'v', 1, '另外发票在这里 https://shop.example/invoice/20261119?id=0231,需要一起退吗?'],
      ],
    },
    {
      id: 1038,
      visitor: visitorOf('b7720c11', '陈先生', 1038, now, { tags: ['VIP'] }),
      state: { status: 'open', assignee: me, why: 'unsure', online: true, unread: 0 },
      entries: [
        [40, 'v', 1, '发票抬头写错了怎么改'],
        [39, 's', 4, status('bot', 'waiting', 'unsure', 'b')],
        [38, 's', 4, status('waiting', 'open', 'took', own, me)],
        [37, own, 1, '陈先生您好,请发我正确的抬头和税号,我帮您换开。'],
      ],
    },
    {
      id: 1052,
      visitor: visitorOf('8f2c99d0', '', 1052, now),
      state: {
        status: 'waiting',
        assignee: null,
        why: 'angry',
        team: PARCELS,
        online: true,
        unread: 3,
      },
      entries: [
        [4, 'v', 1, '等了三天还没发货,你们到底管不管'],
        [
          4,
          'b',
          3,
          {
            text: '非常抱歉让您久等。我帮您查一下物流进度,请提供订单号。',
            bot: '售后助手',
            confidence: 0.41,
            took_ms: 380,
          },
        ],
        [2, 'v', 1, '不要机器人!!'],
        [
          1.7,
          'b',
          8,
          step(
            ['intent', 'angry', { intent: 'anger', confidence: 0.97 }],
            ['handoff', '', { why: 'angry', router: '转接分组', said: '物流组', team: '物流组' }],
          ),
        ],
        [1.7, 's', 4, status('bot', 'waiting', 'angry', 'b', undefined, PARCELS)],
      ],
    },
    {
      id: 1053,
      visitor: visitorOf('d0012aab', '王女士', 1053, now, { browser: PHONE }),
      state: { status: 'waiting', assignee: null, why: 'asked', online: true, unread: 1 },
      entries: [
        [1, 'v', 1, '转人工'],
        [0.8, 's', 4, status('bot', 'waiting', 'asked', 'v')],
      ],
    },
    {
      id: 1047,
      visitor: visitorOf('aa10be77', 'Hannah Kim', 1047, now, { locale: 'en' }),
      state: { status: 'bot', assignee: null, why: null, online: true, unread: 0 },
      entries: [
        [25, 'v', 1, 'Is the XL back in stock next week?'],
        [
          25,
          'b',
          3,
          {
            text: 'The XL in camel is due back on 30 November. You can leave your email on the product page to be told.',
            bot: '本地助手',
            confidence: 0.81,
            took_ms: 38,
            partial: true,
          },
        ],
      ],
    },
    {
      id: 1029,
      visitor: visitorOf(
        'cc99ee01',
        '上海浦东新区张江高科技园区碧波路采购部门的联系人欧阳先生与同事们',
        1029,
        now,
      ),
      state: { status: 'open', assignee: AGENTS.lin, why: 'unsure', online: false, unread: 1 },
      entries: [
        [80, 'v', 1, `团购${'一百二十件羊毛衫需要开专票并且分三个地址发货'.repeat(6)}`],
        [79, 's', 4, status('waiting', 'open', 'took', 'a4', AGENTS.lin)],
        [78, 'a4', 1, '您好,团购报价我整理好发您邮箱。'],
      ],
    },
    {
      id: 1003,
      visitor: visitorOf('ee51d2c4', '赵敏', 1003, now),
      state: { status: 'closed', assignee: null, why: 'asked', online: false, unread: 0 },
      entries: [
        [1500, 'v', 1, '好的谢谢,收到了再联系你'],
        [1499, own, 1, '不客气,祝您生活愉快。'],
        [1498, 's', 4, status('open', 'closed', '', own, me)],
        [1490, 'v', 7, { score: 5, comment: '回复很快' }],
      ],
    },
  ];
}
