"""Lists of images: CSV of any dialect, TSV and XLSX as cells, the meaning of their headings, and what their rows refer to."""
