-- Copyright (C) The nginx gateway modules authors

-- Takes tokens from one or several buckets: all or none.
--
-- KEYS[i]        bucket i; its value is the time, in microseconds since the
--                epoch, when it will be full (GCRA: the theoretical arrival
--                time); absent when full
-- ARGV[3i - 2]   microseconds in which one token comes back
-- ARGV[3i - 1]   tokens a full bucket holds
-- ARGV[3i]       tokens to take; 0 looks without taking
--
-- returns { taken, left, wait, full, left, wait, full, ... }
--   taken        1 if every bucket had the tokens, else 0 and nothing is taken
--   left         whole tokens left in bucket i
--   wait         microseconds until bucket i has the tokens asked for, 0 if it
--                has them, -1 if it can never hold so many
--   full         microseconds until bucket i is full
--
-- The clock is that of Redis.  All numbers are integers below 2^53, which the
-- caller guarantees.  A key lives until its bucket is full.
--
-- A stored time later than a full burst from now comes from other numbers of
-- the limit, or from a clock that was ahead.  It is cut, and written also by a
-- denial: else the caller would stay blocked under the old numbers for ever.

local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]

local taken = 1
local full = {}
local cut = {}
local after = {}
local reply = { 1 }

for i = 1, #KEYS do
    local interval = tonumber(ARGV[3 * i - 2])
    local span = interval * ARGV[3 * i - 1]
    local cost = interval * ARGV[3 * i]

    full[i] = tonumber(redis.call('GET', KEYS[i])) or now

    -- NaN, which Lua reads from "nan", is not less than anything

    if not (full[i] >= now) then
        full[i] = now
    end

    if full[i] > now + span then
        full[i] = now + span
        cut[i] = true
    end

    after[i] = full[i] + cost

    local wait = after[i] - now - span

    if wait > 0 then
        taken = 0

        if cost > span then
            wait = -1
        end
    else
        wait = 0
    end

    reply[3 * i] = wait
end

for i = 1, #KEYS do
    local interval = tonumber(ARGV[3 * i - 2])
    local span = interval * ARGV[3 * i - 1]
    local changed = cut[i]

    if taken == 1 and after[i] > full[i] then
        full[i] = after[i]
        changed = true
    end

    if changed then
        redis.call('SET', KEYS[i], string.format('%.0f', full[i]),
                   'PX', math.ceil((full[i] - now) / 1000) + 1)
    end

    reply[3 * i - 1] = math.floor((now + span - full[i]) / interval)
    reply[3 * i + 1] = full[i] - now
end

reply[1] = taken

return reply
