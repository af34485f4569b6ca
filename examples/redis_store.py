"""A store by hand on Redis: one conditional write, and work from the stored record.

Redis has no transaction that could hold a shop's work together with the record of a payment. So
there are two steps. First one script, which Redis runs alone and writes as a whole: it looks
whether this payment may pay this order, records it, and writes down that its work is to do. Then
the work, from that entry, by whoever comes first: the delivery itself, its repeat, or a process
that now and then calls `work` for each of `waiting()`. The entry goes when its work is done. If a
process dies between the two steps, the work is still to do; if it dies in the work, the work is
done again. So it must be repeatable by the entry's `key`: write that key with what you do, under
a unique key, and do nothing where it is there.

Redis must keep what it was told: `appendonly yes`, `appendfsync always`, `noeviction`. A replica
that takes over lacks the last writes, a paid order among them: let no replica take over by itself.
On a cluster put a hash tag around the prefix ("{shop}:"), so that all keys live together.
"""

import json

import redis

from imp_verify import ExpectedPayment, OrderStore, Settled, StoreError

SETTLE = """
local orders, payments, paid_by, todo = unpack(KEYS)
local imp_uid, number, asks, key = unpack(ARGV)
local kept = redis.call('HGET', payments, imp_uid)
local state, of = string.match(kept or '', '^(%l+) (.*)$')
if of and of ~= number then return 'of another order' end
if state == 'paying' then return 'repeated' end
if state == 'duplicate' then return 'duplicate' end
local order = redis.call('HGET', orders, number)
order = order and cjson.decode(order)
local function keep(word)
  redis.call('HSET', payments, imp_uid, word .. ' ' .. number)
  return word
end
if redis.call('HEXISTS', paid_by, number) == 1 then return keep('duplicate') end
if not order or not order.open then return keep('late') end
if order.asks ~= asks then return 'stale' end
keep('paying')
redis.call('HSET', paid_by, number, imp_uid)
local entry = {key = key, imp_uid = imp_uid, merchant_uid = number}
redis.call('HSET', todo, imp_uid, cjson.encode(entry))
return 'new'
"""


def asked_by(order: ExpectedPayment):
    """Give what an order asks for as text, which is compared as it is: Lua would make a float of
    the amount."""
    sets = {"pay_methods": order.pay_methods, "pg_providers": order.pg_providers}
    fields = {name: value and sorted(value) for name, value in sets.items()}
    fields |= {"amount": f"{order.amount:f}", "currency": order.currency, "account": order.account}
    return json.dumps(fields, sort_keys=True)


def text(value):
    """Redis gives bytes, or text where the client was made with `decode_responses`."""
    return value.decode() if isinstance(value, bytes) else value


class RedisStore(OrderStore):
    """Args: `do(entry)` is the shop's work; an entry has `key`, `imp_uid` and `merchant_uid`."""

    def __init__(self, client: redis.Redis, do, prefix="shop:"):
        self.client, self.do = client, do
        names = ("orders", "payments", "paid_by", "todo")
        self.keys = [prefix + name for name in names]
        self.orders, self.payments, self.paid_by, self.todo = self.keys
        self.script = client.register_script(SETTLE)

    def put(self, order: ExpectedPayment):
        """Make or change an order."""
        fields = {"asks": asked_by(order), "open": order.open}
        self.client.hset(self.orders, order.merchant_uid, json.dumps(fields))

    def expected(self, merchant_uid):
        if kept := self.client.hget(self.orders, merchant_uid):
            order = json.loads(kept)
            asks = json.loads(order["asks"])
            return ExpectedPayment(merchant_uid, **asks, open=order["open"])
        return None

    def settle(self, outcome):
        args = (outcome.imp_uid, outcome.merchant_uid, asked_by(outcome.expected), outcome.key)
        answer = text(self.script(keys=self.keys, args=args))
        if answer == "of another order":
            raise StoreError(f"{outcome.imp_uid} is kept for another order")
        self.work(outcome.imp_uid)  # what it raises leaves here: 503, and the payment comes again
        return Settled(answer)

    def work(self, imp_uid):
        """Do what is to do for a payment. Any process may call this at any time."""
        if entry := self.client.hget(self.todo, imp_uid):
            self.do(json.loads(entry))
            self.client.hdel(self.todo, imp_uid)

    def waiting(self):
        """Give the payments for which there is something to do."""
        return [text(imp_uid) for imp_uid in self.client.hkeys(self.todo)]

    def hold(self, expected, imp_uid):
        payer = self.client.hget(self.paid_by, expected.merchant_uid)
        return None if payer is None or text(payer) == imp_uid else "already_paid"
