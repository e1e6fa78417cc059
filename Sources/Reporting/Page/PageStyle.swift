/// How pages look: light and dark as the reader's system has it, on phones, and on paper.
enum PageStyle {
  /// Colors that tell parts of a drawing apart, neighbours also for people who do not tell red from green; the first
  /// seven are Okabe and Ito's.
  static let series = [
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b8a800", "#6f4fa2", "#8c5a2b", "#2f7f7a",
    "#a3405f", "#7a9a3a",
  ]
  /// Of time in which nothing is done.
  static let idle = "#a8b0b8"

  static let css = """
    :root { --paper: #ffffff; --ink: #1b1f24; --soft: #57606a; --line: #d0d7de; --box: #f6f8fa; --heat: 0, 90, 156;
      --shade: #1b1f2455; }
    @media (prefers-color-scheme: dark) {
      :root { --paper: #0f1419; --ink: #e6edf3; --soft: #9da7b1; --line: #30363d; --box: #161b22; --heat: 86, 180, 233;
        --shade: #e6edf366; }
    }
    * { box-sizing: border-box; }
    body { margin: 0; background: var(--paper); color: var(--ink);
      font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
    main { max-width: 62rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
    h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 1rem; overflow-wrap: anywhere; }
    h2 { font-size: 1.2rem; margin: 2.2rem 0 0.6rem; padding-bottom: 0.25rem; border-bottom: 1px solid var(--line); }
    p { max-width: 46rem; margin: 0.6rem 0; overflow-wrap: anywhere; }
    /* A shadow at each edge behind which there is more. */
    .wide { overflow-x: auto; margin: 0.6rem 0; background:
      linear-gradient(to right, var(--paper) 40%, transparent) left / 48px 100% no-repeat local,
      linear-gradient(to left, var(--paper) 40%, transparent) right / 48px 100% no-repeat local,
      linear-gradient(to right, var(--shade), transparent) left / 16px 100% no-repeat scroll,
      linear-gradient(to left, var(--shade), transparent) right / 16px 100% no-repeat scroll; }
    .keys { display: flex; flex-wrap: wrap; gap: 0.1rem 1rem; font-size: 0.8rem; margin-bottom: 0.4rem; }
    .keys span { display: inline-flex; align-items: center; gap: 0.35rem; }
    .wide:focus-visible { outline: 2px solid #0072b2; }
    table { border-collapse: collapse; font-size: 0.92rem; font-variant-numeric: tabular-nums; }
    caption { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
    th, td { padding: 0.3rem 0.7rem; text-align: left; border-bottom: 1px solid var(--line); white-space: nowrap; }
    td, tbody th { white-space: normal; }
    td.long { overflow-wrap: anywhere; min-width: 12rem; }
    thead th { color: var(--soft); font-weight: 600; }
    tbody th { font-weight: 500; min-width: 6rem; }
    .heads { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: 0.8rem; margin: 1rem 0; }
    .heads div { background: var(--box); border: 1px solid var(--line); border-radius: 8px; padding: 0.8rem 1rem; }
    .heads strong { display: block; font-size: 1.45rem; line-height: 1.3; font-variant-numeric: tabular-nums; }
    .heads span { color: var(--soft); font-size: 0.9rem; }
    .n { text-align: right; white-space: nowrap; }
    pre { background: var(--box); border: 1px solid var(--line); border-radius: 6px; padding: 0.7rem 0.9rem;
      overflow-x: auto; font-size: 0.85rem; white-space: pre-wrap; overflow-wrap: anywhere; }
    figure { margin: 1rem 0 1.4rem; }
    figcaption { font-weight: 600; margin-bottom: 0.3rem; }
    details { color: var(--soft); font-size: 0.92rem; }
    summary { cursor: pointer; padding: 0.2rem 0; }
    svg { display: block; max-width: none; }
    svg text { fill: var(--ink); font: 12px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
    svg .soft { fill: var(--soft); }
    svg .cell { fill: rgb(var(--heat)); stroke: var(--line); stroke-width: 0.5; }
    svg .axis { stroke: var(--line); }
    svg .frame { fill: none; stroke: var(--line); }
    @media print {
      :root { --paper: #ffffff; --ink: #000000; --soft: #333333; --line: #999999; --box: #ffffff; --heat: 0, 90, 156; }
      main { max-width: none; padding: 0; }
      details { display: none; }
      .wide { overflow: visible; background: none; }
      figure, tr { break-inside: avoid; }
      h2 { break-after: avoid; }
      * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
    }
    """
}
