# ruff: noqa: RUF001 - words of many languages; some of their letters look alike
"""How mail servers word their refusals, in the languages they speak.

Collected from the rules and examples of ZoneMTA, Sisimai and the SMTP Field Manual. Each line holds
alternatives of one regular expression, for text in lower case without addresses, names of hosts and
codes, except for the status code at its beginning.
"""

from typing import Literal

Cause = Literal[
    "no such mailbox",
    "no such domain",
    "mailbox full",
    "sender",
    "reputation",
    "rate",
    "policy",
    "content",
    "temporary",
    "unknown",
]
"""What a refusal is about. ``sender``: the sender's address, domain, login or SPF, DKIM and DMARC;
``reputation``: blocklists and complaints; ``policy``: anything else that the server does not want
from us; ``content``: this message; ``temporary``: network, server or time."""

BLOCKLISTS = r"""
    spamhaus|spamcop|sorbs|barracudacentral|uribl|surbl|abuseat|uceprotect|mailspike|backscatterer
    dnsbl|\brbl|_rbl|senderscore|senderbase|talosintelligence|cloudmark|sender\.office\.com
"""

WHO = r"""
    user|mail ?box|recipient|rcpt|address|account|alias|customer|local[ -]part|inbox|e-?mail
    destination|maildrop|person|employee|member|subscriber|spectator|addressee
    benutzer|empf(?:ä|ae)nger|adress|postfach|konto|teilnehmer
    utilisateur|destinataire|compte|bo[iî]te
    usuario|destinatari|direcci[oó]n|buz[oó]n|cuenta|casilla
    usu[aá]rio|destinat[aá]rio|conta\b|endere[cç]o|utente|indirizzo
    gebruiker|ontvanger|användare|mottag|bruger|modtager|bruker
    u[żz]ytkownik|odbiorc|skrzynk|uživatel|příjemce|пользовател|адрес|получател|ящик
    kullan[ıi]c[ıi]|al[ıi]c[ıi]|hesap|posta kutusu
    felhasznál|címzett|utilizator|destinatar|користувач|одержувач|χρήστη|παραλήπτη
    ユーザ|宛先|アドレス|受信者|メールボックス|사용자|수신자|수신인|메일 ?주소|계정
    用户|用戶|收件人|收信人|邮箱|郵箱|信箱|帐号|账号|账户|帳號|地址
"""

GONE = r"""
    unknown|(?:not|n.t) (?:been )?found|(?:not|n.?t) exist|not (?:\w+ )?valid|invalid|no longer
    disabled|inactive|deactivated|discontinued|unallocated|non-?exist|unrecogni[sz]ed
    expired|terminated|(?:been|is|was) (?:closed|deleted|removed)
    not (?:an? )?(?:be )?(?:known|listed|recogni[sz]ed|present|registered|active|existing|local\b)
    not in (?:the |my |our )?(?:\w+ )?(?:list|directory|address ?book|table|database)
    (?:can|could) ?(?:not|n.t) be found
    unbekannt|existiert nicht|nicht (?:gefunden|bekannt|vorhanden|existent)|ung(?:ü|ue)ltig
    inconnu|invalide|n.existe|inexistant|d[ée]sactiv|sconosciut|non esiste|non trovat
    inesistent|disattivat|ismeretlen|nem (?:létezik|található)|necunoscut|nu exist|не існує|невідом
    άγνωστ|δεν υπάρχει|böyle bir|yok\b
    no existe|desconocid|no encontrad|inv[aá]lid|inexistente|deshabilitad
    n[aã]o existe|desconhecid|desativad|onbekend|bestaat niet|niet gevonden
    finns inte|okänd|findes ikke|finnes ikke|ukendt|ukjent|nie istnieje|nieznan|neexistuje|neznám
    не (?:существует|найден|зарегистрирован)|неизвест|отключен
    bulunamad|bilinmiyor|geçersiz|mevcut değil
    存在しま|存在しない|見つかりません|不明|無効|使われておりません|존재하지|없습니다|없는|찾을 수
    不存在|未找到|找不到|无效|無效|停用|注销|禁用
"""

NOT_HERE = r"""
    no such (?:\w+ ){0,2}(?:user|mailbox|recipient|address|person|account|name|alias|customer)
    \bno (?:mail ?box|account|user|recipient|one|person)s? (?:here|at |by th|found|available|with)
    (?:unknown|invalid|bad|non-?existent|inactive|disabled|archived|expired) (?:\w+ ){0,2}(?:WHO)
    bad[_-]recipient
    (?:unbekannt|onbekend|inconnu|desconocid|desconhecid|sconosciut|неизвестн|невідом)\w* (?:WHO)
    (?:ismeretlen|άγνωστ\w*|böyle bir|nie ma takiego|keine? solche\w*|geen dergelijke) (?:WHO)
    not (?:an?|our) (?:\w+ )?(?:WHO)
    unroute?able address|recip(?:ient)?notfound|doesn.?t have an? (?:\S+ )?account|user unknown
    no (?:existe|matches to nameserver)|нет такого|nessun utente
    无此用户|没有(?:这个|此)|查无此|該当.{0,10}(?:ありません|存在しません)|없는 사용자
"""

REFUSALS: tuple[tuple[Cause, str], ...] = (
    ("no such domain", "mx records point to non-existent hosts"),  # Exim's goes on: "or to IP ..."
    (
        "rate",
        r"""
        too many(?! hops| messages (?:on|in)\b)|too fast|too quickly|rate.?limit|\brate\b|throttl
        daily|hourly|(?:per|this|every|each) (?:hour|day|min)|concurren|slow down|flood
        (?:sending|message|recipient|connection|receiving|external)s? (?:limit|quota)
        limit (?:on|of|for|per)\b
        max(?:imum|\.)? (?:\w+ ){0,2}(?:recipients|messages? per|connections)
        """,
    ),
    (
        "sender",
        r"""
        \bsenders?\b|sender[a-z]|mail ?from\b|return[- ]?(?:path|address)
        (?:envelope|header)[ -]?from\b|\bfrom (?:address|domain|header|field)
        \bfrom:|\bspf\b|\bdkim\b|\bdmarc\b|\bdomainkeys?\b
        spoof|authenticat|not allowed to send|not your domain
        [ée]metteur|exp[ée]diteur|absender|mittente|remitente|remetente|afzender|avsändar|afsender
        nadawc|отправител|gönder|送信者|送信元|差出人|発信者|发件人|发信人|發件人|寄件|발신|보낸
        """,
    ),
    (
        "reputation",
        r"""
        (?:black|block|deny) ?-?list|blocked|\bblock\b|\bbanned|(?<!not )\blisted (?:at|in|by|on|as)
        BLOCKLISTS|reputation|\bspam|spammer|\bjunk|abus|complain|unsolicited|\bbulk\b|\bphish
        beschwer|gesperrt|bloqu[ée]|bloccat|geblokkeerd|заблокирован|спам
        拉黑|黑名单|垃圾|封禁|迷惑|拒否
        your (?:ip|host|server|network|mta|isp|access|system|connection|domain|mail ?server)
        \bips?\b|\bclient\b|\bhelo\b|\behlo\b|\bptr\b|\brdns\b|\bdns (?:record|entry|name)|reverse
        hostname|\bproxy|open relay|dynamic
        """,
    ),
    (
        "mailbox full",
        r"""
        quota|mailbox.{0,40}(?:full|exceed|size)|\bfull\b|storage|(?:disk|no|enough|of|free) space
        space (?:limit|has been)|insufficient|too many messages (?:on|in)\b|too much mail
        pleine?\b|überfüllt|\bvoll\b|llen[oa]\b|\bcheia\b|\bpien[oa]\b|przepełnion|переполн|kvot
        \bdolu\b|いっぱい|容量|满|滿|超过|가득|초과
        """,
    ),
    (
        "content",
        r"""
        virus|malware|attachment|too large|message (?:is )?too (?:big|long)|message size|size limit
        (?:exceeds|over|larger than|maximum|max).{0,40}(?:message|mail|file|fixed|allowed) size
        rfc ?[25]322|rfc ?compliant|\bheaders?\b|\bcontent|\burls?\b|8bit|smtputf8|non-ascii
        line (?:is )?too long|suspicious|malicious|unwanted|message[- ]id
        mime\b|inappropriate|profan|taille.{0,30}message
        """,
    ),
    (
        "no such mailbox",  # Exchange Online's words; other servers' "access denied" is a policy
        r"^5\.4\.1 .{0,300}recipient address rejected: access denied",
    ),
    (
        "policy",
        r"""
        polic(?:y|ies)|access denied|denied access|relay(?!=| recipient)|not authori[sz]ed
        unauthori[sz]ed|permission|permitted|not allowed|prohibit|forbidden|restrict|administrative
        security (?:reason|viol)|members?[ -]only|not a member|not subscribed|moderat
        closed (?:mailing )?list|allowed rcpthosts|refuses? to accept|white ?-?list|filtered
        \btls\b|starttls|\bssl\b|certificate|encrypt|rejected by (?:the )?(?:destin|recip|user)
        user rule|protected by|challenge|captcha|verboten|verweiger
        """,
    ),
    (
        "temporary",
        r"""
        again later|try later|later try|not found, try again|temporar|gr[ae]y-?list|defer|delay
        unverified|tim(?:ed|e) ?out|retry time|too old|(?:delivery|message) (?:\w+ )?expired
        (?:connection|host|network|route).{0,30}(?:refused|reset|dropped|lost|unreachable)
        expired before|\bloops?\b|too many hops|hop count|unknown command|command (?:not|un)
        suspend|locked|frozen|limited|servfail|dns (?:soft|timeout|failure)
        malformed (?:or unexpected )?name server
        vorübergehend|plus tard|réessayer|временно|попробуйте|一時|稍后|暂时
        """,
    ),
    (
        "no such domain",
        r"""
        nxdomain|(?:domain|host)(?: name)?[^:;]{0,40}(?:not found|n.?t be found)
        (?:domain|host)[^:;]{0,40}(?:n[o']?t exist|unknown|not known)
        (?:domain|host).{0,40}not accept (?:any )?mail|null ?mx
        (?:no such|unknown|bad destination|couldn.t find any) (?:host|domain)
        dns hard error|name or service not known|dead domain|no data record of|no-domain
        (?:no|valid|any) (?:mx|a|dns) (?:record|host|for)|domain isn.t|domain must exist
        domain.{0,30}(?:inexistant|inconnu|existiert nicht|unbekannt|no existe|não existe)
        домен.{0,30}не |域名.{0,10}不存在
        """,
    ),
    (
        "no such mailbox",
        r"""
        ^5\.2\.1(?:$| .{0,300}(?:mailbox|account|user|recipient))
        NOT_HERE|(?:WHO).{0,60}?(?:GONE)
        """,
    ),
)
"""What refusals are about and their words, in the order in which they are asked. Whatever may speak
of the sender comes first: a reader is blamed only if nothing else explains the refusal."""
