-- Copyright (C) The nginx gateway modules authors

-- Gives back tokens that lua/take.lua took, and nobody used.
--
-- KEYS[i]        a bucket or quota; all of one hash tag
-- ARGV[3i - 2]   what it is: "b" a bucket; "d", "m" a quota
-- ARGV[3i - 1]   b: microseconds in which one token comes back
--                d, m: the window that the tokens are of
-- ARGV[3i]       tokens to give back
--
-- returns 1
--
-- Nothing gets fuller than full: a key that is gone stays so, a bucket that is
-- full again is deleted, and tokens of another window are forgotten.  Values
-- that are none of take.lua's are left to it.
--
-- All is read before anything is written, so an error changes nothing.

local QUOTA = 68719476736

local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]

local stored = {}

for i = 1, #KEYS do
    local value = redis.call('GET', KEYS[i])

    -- nothing but an integer that is in use

    stored[i] = tonumber(value)

    if not stored[i] or not (stored[i] > 0 and stored[i] < 2^53)
       or string.format('%.0f', stored[i]) ~= value
    then
        stored[i] = 0
    end
end

for i = 1, #KEYS do
    local tokens = tonumber(ARGV[3 * i])

    if stored[i] > 0 and tokens > 0 then

        if ARGV[3 * i - 2] == 'b' then
            local full = stored[i] - now - ARGV[3 * i - 1] * tokens

            if full > 0 then
                redis.call('SET', KEYS[i], string.format('%.0f', now + full),
                           'PX', math.ceil(full / 1000) + 1)
            else
                redis.call('DEL', KEYS[i])
            end

        elseif math.floor(stored[i] / QUOTA) == tonumber(ARGV[3 * i - 1]) then

            -- this leaves the time to live as it is

            redis.call('DECRBY', KEYS[i],
                       string.format('%.0f', math.min(tokens,
                                                      stored[i] % QUOTA)))
        end
    end
end

return 1
