-- Copyright (C) The nginx gateway modules authors

-- Reads a hash of tiers.  The reply has a bound, whatever somebody has put
-- into the hash: it comes over the connection that decisions use.
--
-- KEYS[1]  the hash
-- ARGV[1]  entries at most
-- ARGV[2]  bytes of a name or value at most; longer ones are cut behind the
--          next byte, which tells that they are too long
--
-- returns { { entries }, name, value, name, value, ... }; names and values
-- are left out if there are too many

local n = redis.call('HLEN', KEYS[1])
local reply = { { n } }

if n <= tonumber(ARGV[1]) then
    for i, text in ipairs(redis.call('HGETALL', KEYS[1])) do
        reply[i + 1] = string.sub(text, 1, ARGV[2] + 1)
    end
end

return reply
