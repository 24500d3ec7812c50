-- Copyright (C) The nginx gateway modules authors

-- A gateway says that it is alive, and learns how many are.
--
-- KEYS[1]   a sorted set: names by the time when they were heard last, in
--           microseconds since the epoch, by the clock of Redis
-- ARGV[1]   the gateway's name
-- ARGV[2]   microseconds after which a silent one is forgotten
--
-- returns how many were heard within that time, this one included
--
-- At most 10000 are kept, those heard last.  The clock may go back: a name
-- heard in the future counts, unless it lies further ahead than ARGV[2].

local NODES = 10000

local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]

local function text(number)
    return string.format('%.0f', number)
end

redis.call('ZADD', KEYS[1], text(now), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. text(now - ARGV[2]))
redis.call('ZREMRANGEBYSCORE', KEYS[1], '(' .. text(now + ARGV[2]), '+inf')
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - NODES)
redis.call('PEXPIRE', KEYS[1], math.ceil(ARGV[2] / 1000) + 1)

return redis.call('ZCARD', KEYS[1])
