-- Copyright (C) The nginx gateway modules authors

-- Takes tokens for one or several limits of a caller: for all or for none.
--
-- A limit is one to four items that follow each other: its bucket, then its
-- quotas, then its ban.  For item i:
--
-- KEYS[i]        its key; all of one hash tag
-- ARGV[6i - 5]   what it is: "b" a bucket, which begins a limit, "B" one of a
--                dry run; "d", "m" a quota of the UTC day, month; "x" a ban
-- ARGV[6i - 4]   b: microseconds in which one token comes back
--                x: microseconds that a ban lasts
-- ARGV[6i - 3]   b: tokens a full bucket holds; d, m: tokens of a window
--                x: refusals that make a ban
-- ARGV[6i - 2]   tokens to take; 0 looks without taking
--                x: refusals to add that Redis was not told of
-- ARGV[6i - 1]   b: tokens to lease on top, at most; 0 none
-- ARGV[6i]       b: the lease gets at most 1/share of what is left; >= 1
--
-- returns { taken, left, wait, full, extra, left, wait, full, extra, ... }
--   taken   1 if every limit but the dry ones had the tokens and no ban, else
--           0, and nothing was taken for any; a dry limit that has not enough
--           gives nothing and refuses nobody
--   left    tokens left, after this; x: refusals left until a ban
--   wait    microseconds until the tokens asked for are there, 0 if they are,
--           -1 if there can never be so many; x: microseconds that the ban
--           still lasts, 0 if there is none
--   full    microseconds until a bucket is full, a window ends, or strikes or
--           a ban are forgotten
--   extra   b: tokens leased; d, m: the window, by which they are given back;
--           x: 1 if this very call began the ban
--
-- What is stored, in keys that expire when it means nothing any more:
--   b       the time, in microseconds since the epoch, when the bucket will
--           be full (GCRA: the theoretical arrival time)
--   d, m    the window, which is the number of the day or month since 1970,
--           times 2^36, plus the tokens used
--   x       how often the limit refused since the first time, or -1: banned
--
-- All numbers are integers below 2^53, which the caller guarantees, but for
-- the time that the tokens asked for would take: it is used only if a bucket
-- can hold them.  What was stored by others, and is no such number, counts as
-- absent.
--
-- The clock is that of Redis.  If it goes back it grants nothing: a time to
-- come stays, and the window after the one of now holds until it ends.  What
-- lies further ahead (than a full bucket needs, two windows, a ban's time)
-- comes from other numbers of the limit, or from a clock that was wrong.  It
-- is cut, and written also by a denial: else the caller would stay blocked
-- for ever.  Otherwise a denial writes nothing but strikes.
--
-- A refusal is a strike if the bucket or a quota of the ban's own limit has
-- not enough.  While a ban holds there are none.
--
-- All is read before anything is written, so an error changes nothing.

local DAY = 86400000000
local QUOTA = 68719476736

local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]

local taken = 1
local reply = { 1 }
local refused = {}
local changed = {}
local limit

for i = 1, #KEYS do
    local unit = ARGV[6 * i - 5]
    local size = tonumber(ARGV[6 * i - 3])
    local cost = tonumber(ARGV[6 * i - 2])
    local stored = tonumber(redis.call('GET', KEYS[i]))
    local full = 0
    local wait = 0
    local extra = 0
    local left

    if unit == 'b' or unit == 'B' then
        local interval = tonumber(ARGV[6 * i - 4])
        local span = interval * size

        limit = i

        -- NaN, which Lua reads from "nan", is not greater than anything

        if stored and stored > now then

            if stored > now + span then
                full = span
                changed[i] = true
            else
                full = stored - stored % 1 - now
            end
        end

        left = math.floor((span - full) / interval)

        if cost > size then
            wait = -1

        elseif cost > left then
            wait = full + interval * cost - span
        end

    elseif unit == 'x' then
        local span = math.ceil(ARGV[6 * i - 4] / 1000) * 1000
        local strikes = 0

        if stored and (stored == -1 or stored >= 1 and stored < 2^53) then
            full = redis.call('PTTL', KEYS[i]) * 1000

            -- a key that never expires is not ours

            if full > 0 then
                strikes = stored - stored % 1
            else
                full = 0
            end

            if full > span then
                full = span
                changed[i] = strikes
            end
        end

        if strikes ~= -1 then

            if refused[limit] then
                cost = cost + 1
            end

            if cost > 0 then

                if strikes == 0 then
                    full = span
                end

                strikes = strikes + cost

                if strikes >= size then
                    strikes = -1
                    full = span
                    extra = 1
                end

                changed[i] = strikes
            end
        end

        if strikes == -1 then
            left = 0
            wait = full
        else
            left = math.max(size - strikes, 0)
        end

    else
        local window = math.floor(now / DAY)
        local used = 0
        local start

        -- when a window begins; years begin with March here

        if unit == 'd' then
            start = function (day)
                return day * DAY
            end

        else
            start = function (month)
                local m = month + 23638
                local y = math.floor(m / 12)

                m = m - 12 * y

                return (365 * y + math.floor(y / 4) - math.floor(y / 100)
                        + math.floor(y / 400) + math.floor((153 * m + 2) / 5)
                        - 719468) * DAY
            end

            -- 4800 months have 146097 days; this may be one month off

            window = math.floor(window * 4800 / 146097)

            if start(window) > now then
                window = window - 1

            elseif start(window + 1) <= now then
                window = window + 1
            end
        end

        if stored and stored > 0 and stored < 2^53 then
            local past = math.floor(stored / QUOTA)

            if past >= window then
                used = math.floor(stored) - past * QUOTA
            end

            if past == window + 1 then
                window = past

            elseif past > window then
                changed[i] = window * QUOTA + used
            end
        end

        full = start(window + 1) - now
        left = math.max(size - used, 0)
        extra = window

        if cost > size then
            wait = -1

        elseif cost > left then
            wait = full
        end
    end

    if wait ~= 0 then
        refused[limit] = true

        if ARGV[6 * limit - 5] == 'b' then
            taken = 0
        end
    end

    reply[4 * i - 2] = left
    reply[4 * i - 1] = wait
    reply[4 * i] = full
    reply[4 * i + 1] = extra
end

reply[1] = taken

local lease = 0

for i = 1, #KEYS do
    local unit = ARGV[6 * i - 5]
    local is_bucket = unit == 'b' or unit == 'B'

    if is_bucket then
        limit = i
    end

    if taken == 1 and unit ~= 'x' and not refused[limit] then
        local tokens = tonumber(ARGV[6 * i - 2])

        if is_bucket then
            lease = tonumber(ARGV[6 * i - 1])

            if lease > 0 then
                local q = i + 1

                lease = math.min(lease, math.floor((reply[4 * i - 2] - tokens)
                                                   / ARGV[6 * i]))

                while ARGV[6 * q - 5] == 'd' or ARGV[6 * q - 5] == 'm' do
                    lease = math.min(lease,
                                     reply[4 * q - 2] - ARGV[6 * q - 2])
                    q = q + 1
                end

                reply[4 * i + 1] = lease
            end
        end

        tokens = tokens + lease

        if tokens > 0 then
            reply[4 * i - 2] = reply[4 * i - 2] - tokens

            if is_bucket then
                reply[4 * i] = reply[4 * i] + ARGV[6 * i - 4] * tokens
                changed[i] = true
            else
                changed[i] = reply[4 * i + 1] * QUOTA + ARGV[6 * i - 3]
                             - reply[4 * i - 2]
            end
        end
    end

    if changed[i] then
        local value = changed[i]
        local ms = math.ceil(reply[4 * i] / 1000)

        if is_bucket then
            value = now + reply[4 * i]
            ms = ms + 1

        elseif unit ~= 'x' then

            -- the clock may go back: the window outlives its end

            ms = ms + 60000
        end

        -- Redis writes a number with all of its digits, as it is an integer

        redis.call('SET', KEYS[i], value, 'PX', ms)
    end
end

return reply
