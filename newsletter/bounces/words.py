# ruff: noqa: RUF001 - words of many languages; some of their letters look alike
"""How mail systems, mail programs and readers word their mails, in the languages they speak.

Each line holds alternatives of one regular expression.
"""

DAEMONS = r"""
    mailer[-_ ]?(?:daemon|system)|post[-_]?master|mail ?delivery|delivery (?:sub)?system
    mail ?system|(?:mail|email|system) admin|\bpostoffice|internet mail|mailsweeper|mailmarshal
    symantec|mailscanner|microsoftexchange[0-9a-f]|bounces?[@+-]|^<>$|no-?reply@.{1,60}\.ne\.jp
"""
"""Who sends reports."""

REPORT_SUBJECTS = r"""
    un-?deliver|non-?deliver|ndn:|not (?:be )?delivered|returned? mail|bounced|\[bounce\]
    failed mail|delivery (?:status|fail|report|error|problem|has failed|notif|unsuccess)
    delayed mail|deliver(?:y|ing)\b.{0,30}(?:fail|delay|error)
    fail(?:ed|ure) (?:notice|delivery|to deliver)
    mail (?:error|fail|delivery|system error)|message (?:delayed|could not|not sent|status)
    mailbox (?:is )?(?:full|unavail)|could not (?:be )?(?:send|sent|deliver)|user unknown
    warning: (?:could not|message)
    unzustellbar|zustellung|nicht zustell|non remise?\b|échec|onbestelbaar|niet bezorgd
    no se (?:puede entregar|ha podido)|devuelto|não (?:é possível )?entreg|devolvid
    impossibile (?:recapitare|consegnare)|mancato recapito|niedostarcz|nie można dostarczyć
    не (?:удается|удалось|доставлен)|недоставлен|olevererbar|ikke leveres|inte levereras
    nedoručiteln|teslim edileme
    配信不能|配信に失敗|配信できません|配送失敗|不達|送信できません|エラーメール
    退信|无法(?:送达|投递)|投递失败|전송 실패
"""
"""Subjects of reports."""

REPORT_PHRASES = r"""
    (?:could ?(?:not|n.t)|cannot|was not|were not|has not|not (?:yet )?been) (?:be |been )?delivered
    (?:unable|not able|failed|wasn.t able) to deliver|could not deliver|undeliverable|did not reach
    delivery (?:to|of|for|has) .{0,60}fail|delivery (?:failure|failed|attempt|problem)
    address(?:es)?(?:\(es\))? (?:had|failed)|returned to (?:you|sender)|will be retried
    permanent(?:ly)? (?:fatal )?(?:error|fail)|rejected by|no such user|mailbox is full
    failed recipients?|recipients? (?:failed|unknown|did not receive)|not a valid (?:user|recipient)
    group you tried to contact
    (?:wurde|konnte) nicht zugestellt|n.a pas pu être|no (?:se pudo|ha podido ser) entreg
    não (?:pôde|foi) (?:ser )?entreg|non è stato (?:possibile )?(?:recapit|consegn)
    не может быть доставлен|не удалось доставить|не доставлен
    配信できません|届けられません|送信できません|无法(?:送达|投递)
"""
"""What reports say to a person."""

QUIET = r"""
    hi\.? this is|this (?:message|is an? automatic)|a message that you|i.?m (?:sorry|afraid)
    sorry,? (?:we|your)|this is the (?:mail|qmail|postfix)|for further assistance|if you
    please (?:contact|do not|direct|include)|you do not need|no action|the mail system
    your message\b(?! rejected)|(?:delivery to )?the following|reporting-mta|generating server
"""
"""Beginnings of a report's paragraphs that give no reason."""

COPY = r"""
    [-=_*+]{2,}[^\n]{0,80}(?:original|copy|returned|below|header|unsent)[^\n]*
    (?:return-path|(?:x-)?received|dkim-signature|list-id|list-unsubscribe|mime-version):[ \t]*\S
    below is a copy|original mail as follows
    (?:the )?original message (?:headers? )?(?:follows|headers|as received)
    [^\n]{0,40}(?:text|headers|copy|contents) of (?:your|the) (?:original )?message
    (?:the )?message headers? follows?|included is a copy
"""
"""Beginnings of the line before the returned letter."""

SUBJECT_PREFIXES = r"""
    \[[^\[\]]{1,30}\]|\*{2,}\w{1,20}\*{2,}|<?(?:ext(?:ern(?:al)?)?|spam)>?:
    (?:PREFIX)(?:\s?[\[(]\d{1,3}[\])]|\^\d)?\s?[:：]
"""
"""What mail programs and filters put before a subject."""

PREFIX = r"""
    re|fwd?|aw|wg|antw|antwort|sv|vs|vb|vl|rv|r|rif|i|tr|res|enc|odp|pd|ynt|ilt|ref|nv|bls|vá|vast|ats
    hb|απ|σχετ|пр|תגובה|רד|رد|отв|ответ|回复|回覆|答复|答覆|转发|轉寄|返信|转寄|회신|답장
"""

UNSUBSCRIBE = r"""
    unsubscribe|unsuscribe|stop|remove me|opt[- ]?out|(?:newsletter )?abmelden|abbestellen
    d[ée]sabonner|d[ée]sinscription|(?:me )?d[ée]sinscrire|(?:darse? de )?baja
    cancelar suscripci[oó]n|descadastrar|cancelar (?:inscri[cç][aã]o|assinatura)
    disiscri(?:vi(?:mi)?|zione)|cancellami
    afmelden|uitschrijven|avregistrera|avsluta prenumeration|afmeld|meld av|wypisz|odhlásit
    leiratkozás|отписаться|отписка
    退订|退訂|取消订阅|配信停止|購読解除|수신 ?거부|구독 ?취소
"""
"""How readers ask to unsubscribe."""

AUTOMATIC_SUBJECTS = r"""
    auto(?:mati[cs]\w{0,4})?[ :_-]{0,3}(?:re(?:ply|sponse)|respond\w*)|auto:|autosvar
    out[- ]of[- ](?:the[- ])?office|ooo\b|on (?:vacation|holiday|leave)|vacation|away\b
    automatische (?:antwort|r[üu]ckantwort|reactie)|automatisch antwoord|abwesen|urlaub
    r[ée]ponse automatique|(?:message d.)?absence|absent\b|respuesta autom|fuera de (?:la )?oficina
    ausente|aus[eê]ncia|resposta autom|fora do escrit|risposta automatica|fuori (?:sede|ufficio)
    assenza|afwezig|fr[åa]nvar|automatiskt? svar|frav[æe]r|ikke til stede
    automaattinen vastaus|poissa
    automatyczna odpow|odpowied[źz] automat|poza biurem|nieobecn|automatick[áa] odpov|mimo kancel
    automatikus v[áa]lasz|r[ăa]spuns automat|otomatik (?:yan[ıi]t|cevap)|ofis d[ıi][şs][ıi]
    автоматическ|автоответ|автоматична відповідь|вне офиса|отсутств|αυτόματη απάντηση
    自動応答|自動返信|不在|自动(?:答复|回复|回覆)|自動(?:回覆|回復|答覆)|外出
    자동 ?(?:회신|응답|답장)|부재
"""
"""Beginnings of the subjects of automatic replies. Behind a "Re:" they are a person's answer."""
