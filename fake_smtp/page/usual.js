// The faults that people want most, as buttons. The rest is in the list of all faults and in the editor.

/** Name, words and parameters of each button, in the order of a conversation. */
export const USUAL = [
  ["refuse_connection", "Refuse the connection"],
  ["banner_421", "Greet with 421"],
  ["auth_reject", "Refuse the login, 535"],
  ["tempfail", "Refuse the recipient, 451", { stage: "rcpt", code: 451 }],
  ["greylist", "Greylist"],
  ["tarpit", "Tarpit, every reply 1 s late", { delay_s: 1 }],
  ["drop_before_dot", "Cut before the dot"],
  ["drop_after_dot", "Cut after the dot"],
  ["torn_reply", "Tear the reply"],
  ["late_reply", "Reply 30 s late", { delay_s: 30 }],
  ["lose", "Accept and lose"],
  ["store_twice", "Store twice"],
].map(([fault, words, params = {}]) => ({ fault, words, params }));

/** How often a rule made here applies: words and the fields of the rule. */
export const OFTEN = [
  ["every time", {}],
  ["once", { count: 1 }],
  ["the first 3 times", { count: 3 }],
  ["the first try of each mail", { attempts: 1 }],
  ["to one mail in ten", { probability: 0.1 }],
];
