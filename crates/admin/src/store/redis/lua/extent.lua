local first = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
return {head[1], head[2], head[3], first and shown(first)[1] or ''}
